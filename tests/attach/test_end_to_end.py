"""What a guest writes is in the volume, and nothing is left when it is detached."""

import pytest

from drivers.hypervisor.base import serial_of
from drivers.units import GIB
from tests.attach.counting import counted
from tests.attach.server import Server
from tests.attach.site import Site

PATTERN = b"written by the guest" * 100
FAR = GIB - 4096
SECTORS = 16

by_each_hypervisor = pytest.mark.parametrize("hypervisor", ["qemu", "libvirt"])


@pytest.fixture
def server(request: pytest.FixtureRequest, hypervisor: str) -> Server:
    found: Server = request.getfixturevalue(hypervisor)
    return found


@pytest.mark.parametrize(
    ("hypervisor", "export"),
    [
        ("qemu", "file"),
        ("qemu", "nbd"),
        ("qemu", "iscsi"),
        ("libvirt", "file"),
        ("libvirt", "nbd"),
        ("libvirt", "iscsi"),
    ],
)
def test_what_the_guest_writes_is_in_the_volume(site: Site, server: Server, export: str) -> None:
    volume_id = site.create_volume(export)
    site.attach(server.server_id, volume_id)
    site.wait_for_volume(volume_id, "in-use")
    assert site.attached(server.server_id) == [volume_id]
    disk = server.agent.wait_for_disk(serial_of(volume_id), size_bytes=GIB)
    assert not disk.read_only
    assert len(site.published()) == (export != "file")
    server.write(volume_id, 0, PATTERN)
    server.write(volume_id, FAR, PATTERN)

    site.detach(server.server_id, volume_id)
    site.wait_for_volume(volume_id, "available")
    assert not server.has_disk(volume_id)
    assert site.attached(server.server_id) == []
    assert site.published() == []
    assert site.read(volume_id, 0, len(PATTERN)) == PATTERN
    assert site.read(volume_id, FAR, len(PATTERN)) == PATTERN
    server.agent.run(f"! grep -q {serial_of(volume_id)} /sys/block/vd*/serial")


@by_each_hypervisor
@pytest.mark.parametrize("export", ["file", "nbd"])
def test_a_volume_grows_while_the_guest_writes(site: Site, server: Server, export: str) -> None:
    volume_id = site.create_volume(export)
    site.attach(server.server_id, volume_id)
    server.write(volume_id, FAR, PATTERN)
    site.wait_for_volume(volume_id, "in-use")
    with server.counting(volume_id, sectors=SECTORS) as counter:
        counter.wait_for(SECTORS)
        answer = site.demo.act(volume_id, "os-extend", {"new_size": 2})
        assert answer.status_code == 202, answer.text
        server.agent.wait_for_disk(serial_of(volume_id), size_bytes=2 * GIB)
        site.wait_for_volume(volume_id, "in-use")
        assert site.volume(volume_id)["size"] == 2
        counter.wait_for(counter.now() + SECTORS)
    assert server.agent.read(serial_of(volume_id), FAR, len(PATTERN)) == PATTERN
    server.write(volume_id, GIB + FAR, PATTERN)
    site.wait_until_all_ended()

    site.detach(server.server_id, volume_id)
    site.wait_for_volume(volume_id, "available")
    assert site.read(volume_id, GIB + FAR, len(PATTERN)) == PATTERN
    assert counted(site.volume_file(volume_id), SECTORS) == counter.last


def test_over_iscsi_a_volume_in_use_keeps_its_size(site: Site, qemu: Server) -> None:
    volume_id = site.create_volume("iscsi")
    site.attach(qemu.server_id, volume_id)
    qemu.write(volume_id, 0, PATTERN)
    site.wait_for_volume(volume_id, "in-use")
    assert site.demo.act(volume_id, "os-extend", {"new_size": 2}).status_code == 202
    site.wait_until_all_ended()
    volume = site.volume(volume_id)
    assert (volume["status"], volume["size"]) == ("in-use", 1)
    told = site.operation(volume_id, "volume.extend")["error"]
    assert told.endswith("It is attached over iscsi, where it cannot grow; detach it first.")
    assert site.volume_file(volume_id).stat().st_size == GIB
    assert qemu.agent.read(serial_of(volume_id), 0, len(PATTERN)) == PATTERN
    site.detach(qemu.server_id, volume_id)
    site.wait_for_volume(volume_id, "available")
