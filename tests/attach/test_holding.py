"""A guest that keeps its disk is waited for; only an administrator takes it away, and first cuts
it off."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from drivers.hypervisor.base import serial_of
from storage_project.tour.guest.agent import SECTOR_BYTES
from tests.attach.counting import Counter
from tests.attach.server import Server, qemu_server
from tests.attach.site import Site
from tests.guests.saved import SavedGuest

PATTERN = b"written by the guest" * 20
SECTORS = 16
ELSEWHERE = 1 << 20


@pytest.fixture
def holding(qemu: Server) -> Iterator[Server]:
    """A server whose guest goes on at the end, if the test has stopped it."""
    yield qemu
    qemu.release()


def test_a_guest_that_holds_its_disk_is_waited_for(site: Site, holding: Server) -> None:
    server = holding
    volume_id = attach(site, server, "nbd")
    server.write(volume_id, 0, PATTERN)
    published = site.published()
    server.hold()
    ask_to_detach(site, server, volume_id)
    assert site.volume(volume_id)["status"] == "detaching"
    assert site.published() == published
    assert server.has_disk(volume_id)

    server.release()
    site.wait_for_volume(volume_id, "available")
    assert site.published() == []
    assert not server.has_disk(volume_id)
    assert site.read(volume_id, 0, len(PATTERN)) == PATTERN


@pytest.mark.parametrize("export", ["nbd", "iscsi"])
def test_what_is_taken_away_from_a_guest_is_cut_off_first(
    site: Site, qemu: Server, saved_guest: SavedGuest, export: str
) -> None:
    with qemu_server(site, saved_guest, "stubborn") as stubborn:
        volume_id = attach(site, stubborn, export)
        stubborn.agent.start_counting(serial_of(volume_id), sectors=SECTORS)
        Counter(stubborn.agent).wait_for(SECTORS)
        stubborn.hold()
        ask_to_detach(site, stubborn, volume_id)

        refused = site.demo.act(volume_id, "os-force_detach", {})
        assert refused.status_code == 403, refused.text
        assert site.volume(volume_id)["status"] == "detaching"
        assert len(site.published()) == 1

        taken = site.admin.act(volume_id, "os-force_detach", {})
        assert taken.status_code == 202, taken.text
        site.wait_for_volume(volume_id, "available")
        assert site.published() == []
        assert openers(site.volume_file(volume_id)) == [], "somebody can still write to it"
        counted = site.read(volume_id, 0, SECTORS * SECTOR_BYTES)

        site.attach(qemu.server_id, volume_id)
        site.wait_for_volume(volume_id, "in-use")
        stubborn.release()
        qemu.write(volume_id, ELSEWHERE, PATTERN)
        site.detach(qemu.server_id, volume_id)
        site.wait_for_volume(volume_id, "available")
        assert site.read(volume_id, ELSEWHERE, len(PATTERN)) == PATTERN
        assert site.read(volume_id, 0, len(counted)) == counted, "the other one went on writing"


def test_a_guest_that_opens_the_file_itself_is_not_robbed_of_it(
    site: Site, holding: Server
) -> None:
    server = holding
    volume_id = attach(site, server, "file")
    server.hold()
    ask_to_detach(site, server, volume_id)
    for client in (site.demo, site.admin):
        answer = client.act(volume_id, "os-force_detach", {})
        assert answer.status_code == (403 if client is site.demo else 409), answer.text
    assert "does not cut it off. Stop the server first." in answer.text
    assert site.volume(volume_id)["status"] == "detaching"
    assert server.has_disk(volume_id)
    server.release()
    site.wait_for_volume(volume_id, "available")


def attach(site: Site, server: Server, export: str) -> str:
    """A new volume that the guest sees."""
    volume_id = site.create_volume(export)
    site.attach(server.server_id, volume_id)
    site.wait_for_volume(volume_id, "in-use")
    server.agent.wait_for_disk(serial_of(volume_id))
    return volume_id


def ask_to_detach(site: Site, server: Server, volume_id: str) -> None:
    """Return once the operation says that it waits for the guest."""
    site.detach(server.server_id, volume_id)
    site.wait_until(
        lambda: "waits for the guest" in site.operation_on(volume_id, "server.detach")["phase"],
        "the operation to say what it waits for",
    )


def openers(path: Path) -> list[str]:
    """The processes that have a file open: nobody else can write to it."""
    found = []
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):  # closed meanwhile
            if descriptor.samefile(path):
                found.append(descriptor.parts[2])
    return found
