import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest

from drivers.errors import DriverError, Reason
from drivers.hypervisor.base import ServerStatus
from drivers.hypervisor.qemu import QemuDriver
from drivers.options import read_options
from drivers.qmp import Qmp
from storage_project.tour.guest.agent import GuestDisk
from storage_project.tour.guest.guest import SLOTS, Guest
from tests.contracts.hypervisor_driver import (
    LONG_S,
    PATTERN,
    SHORT_S,
    SIZE_BYTES,
    OpeningHypervisorContract,
    Volume,
    insist,
)
from tests.drivers.hypervisor.exports import PASSWORD, NbdServer, iscsi_target
from tests.guests.saved import SavedGuest, short_folder

NO_ID = "00000000-0000-0000-0000-000000000000"


@dataclass
class QemuServer:
    """A guest in a QEMU process of its own."""

    guest: Guest
    server_id: str
    name: str = "web"

    def find_disk(self, serial: str) -> GuestDisk | None:
        return self.guest.agent.find_disk(serial)

    def wait_for_disk(self, serial: str, *, size_bytes: int | None = None) -> GuestDisk:
        return self.guest.agent.wait_for_disk(serial, size_bytes=size_bytes)

    def write(self, serial: str, offset: int, data: bytes) -> None:
        self.guest.agent.write(serial, offset, data)

    def read(self, serial: str, offset: int, length: int) -> bytes:
        return self.guest.agent.read(serial, offset, length)

    def hold(self) -> None:
        self.guest.hold()

    def release(self) -> None:
        self.guest.release()

    def switch_off(self) -> None:
        self.guest.process.kill()
        self.guest.process.wait()

    def leftovers(self) -> list[str]:
        """What there is in QEMU of any of our disks."""
        with Qmp(self.guest.control) as qmp:
            nodes = qmp.execute("query-named-block-nodes", {"flat": True})
            names = [node["node-name"] for node in nodes]
            for path in ("/machine/peripheral", "/objects"):
                names += [each["name"] for each in qmp.execute("qom-list", {"path": path})]
        return [name for name in names if "khoi" in name]


@pytest.fixture
def sockets() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture
def driver(sockets) -> QemuDriver:
    return qemu_driver(sockets)


@pytest.fixture
def server(sockets, saved_guests) -> Iterator[QemuServer]:
    with running(saved_guests("pc"), sockets) as server:
        yield server


@pytest.fixture
def volume(tmp_path) -> Volume:
    return Volume(tmp_path)


def qemu_driver(sockets: Path, **options) -> QemuDriver:
    driver = QemuDriver(QemuDriver.Options(sockets=sockets, **options), name="kvm", home=Path("/"))
    driver.check()
    return driver


@contextmanager
def running(
    saved: SavedGuest, sockets: Path, *, name: str = "web", server_id: str = ""
) -> Iterator[QemuServer]:
    server_id = server_id or str(uuid4())
    with saved.restored(sockets / f"{name}.qmp", name=name, server_id=server_id) as guest:
        yield QemuServer(guest, server_id, name)


class TestQemuOnPc(OpeningHypervisorContract):
    @pytest.fixture
    def driver(self, driver):
        return driver

    @pytest.fixture
    def server(self, server):
        return server


class TestQemuOnQ35(OpeningHypervisorContract):
    @pytest.fixture
    def driver(self, driver):
        return driver

    @pytest.fixture
    def server(self, sockets, saved_guests):
        with running(saved_guests("q35"), sockets) as server:
            yield server

    def test_a_server_without_a_free_slot_says_so(self, driver, server, tmp_path):
        volumes = [Volume(tmp_path) for _ in range(SLOTS + 1)]
        for volume in volumes[:SLOTS]:
            driver.attach(server.server_id, volume.volume_id, volume.connection_info)
        with pytest.raises(DriverError) as caught:
            driver.attach(server.server_id, volumes[-1].volume_id, volumes[-1].connection_info)
        assert caught.value.code == Reason.unsupported
        assert "slot" in caught.value.sentence
        assert not any(volumes[-1].serial in name for name in server.leftovers())
        server.wait_for_disk(volumes[0].serial)
        assert driver.detach(server.server_id, volumes[0].serial, wait_s=LONG_S)
        driver.attach(server.server_id, volumes[-1].volume_id, volumes[-1].connection_info)
        server.wait_for_disk(volumes[-1].serial)


# Servers


def test_the_folder_must_be_there(tmp_path):
    options = read_options(QemuDriver.Options, {"sockets": "servers"}, where="hypervisors.kvm")
    driver = QemuDriver(options, name="kvm", home=tmp_path)
    with pytest.raises(DriverError) as caught:
        driver.check()
    assert caught.value.code == Reason.unavailable
    (tmp_path / "servers").mkdir()
    driver.check()
    assert driver.list_servers() == []


def test_what_is_no_qemu_is_no_server(driver, server, sockets, volume):
    (sockets / "a.qmp").touch()
    bind_socket(sockets / "dead.sock").close()
    with bind_socket(sockets / "other.sock") as other, ThreadPoolExecutor() as threads:
        other.listen()
        greeting = threads.submit(greet, other, b"hello\n", times=3)  # once for each call
        assert [each.name for each in driver.list_servers()] == ["web"]
        assert driver.list_disks(server.server_id) == []
        assert driver.detach(str(uuid4()), volume.serial, wait_s=SHORT_S)
        greeting.result(LONG_S)


def bind_socket(path: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(str(path))
    return bound


def greet(listener: socket.socket, words: bytes, *, times: int) -> None:
    for _ in range(times):
        connection, _ = listener.accept()
        with connection:
            connection.sendall(words)


def test_a_server_without_an_id_of_its_own_has_one_by_its_file(driver, sockets, saved_guests):
    with running(saved_guests("pc"), sockets, server_id=NO_ID):
        (found,) = driver.list_servers()
        assert found.name == "web"
        assert found.server_id != NO_ID
        assert driver.list_disks(found.server_id) == []
        assert qemu_driver(sockets).list_servers() == [found]


def test_a_server_that_is_paused_says_so(driver, server):
    server.hold()
    (found,) = driver.list_servers()
    assert found.status == ServerStatus.PAUSED


def test_each_server_has_its_own_disks(driver, server, sockets, saved_guests, tmp_path):
    with running(saved_guests("pc"), sockets, name="database") as other:
        assert {each.name for each in driver.list_servers()} == {"web", "database"}
        one, two = Volume(tmp_path), Volume(tmp_path)
        driver.attach(server.server_id, one.volume_id, one.connection_info)
        driver.attach(other.server_id, two.volume_id, two.connection_info)
        assert [each.serial for each in driver.list_disks(server.server_id)] == [one.serial]
        assert [each.serial for each in driver.list_disks(other.server_id)] == [two.serial]
        # The file is taken: two guests that write to it would ruin it.
        with pytest.raises(DriverError) as caught:
            driver.attach(other.server_id, one.volume_id, one.connection_info)
        assert caught.value.code == Reason.busy
        assert other.leftovers() == [name for name in other.leftovers() if two.serial in name]


def test_a_server_that_does_not_answer_is_not_gone(sockets, server, volume):
    """Its process is stopped: it still holds the volume open."""
    driver = qemu_driver(sockets, timeout_s=SHORT_S)
    driver.attach(server.server_id, volume.volume_id, volume.connection_info)
    seen = driver.list_servers()
    server.guest.process.send_signal(signal.SIGSTOP)
    try:
        assert driver.list_servers() == seen
        for act in (
            qemu_driver(sockets, timeout_s=SHORT_S).list_servers,  # which has never seen it
            lambda: driver.list_disks(server.server_id),
            lambda: driver.detach(server.server_id, volume.serial, wait_s=SHORT_S),
        ):
            with pytest.raises(DriverError) as caught:
                act()
            assert caught.value.code == Reason.unavailable
            assert caught.value.retryable
    finally:
        server.guest.process.send_signal(signal.SIGCONT)
    assert insist(lambda: driver.detach(server.server_id, volume.serial, wait_s=LONG_S))


def test_a_server_is_listed_while_another_call_waits_for_its_guest(driver, server, volume):
    driver.attach(server.server_id, volume.volume_id, volume.connection_info)
    server.wait_for_disk(volume.serial)
    server.hold()
    results = []
    waiting = Thread(
        target=lambda: results.append(driver.detach(server.server_id, volume.serial, wait_s=LONG_S))
    )
    waiting.start()
    for _ in range(5):
        assert [each.name for each in driver.list_servers()] == ["web"]
    server.release()
    waiting.join(LONG_S)
    assert results == [True]


def test_disks_that_are_not_ours_are_left_alone(driver, server, tmp_path):
    own, foreign = Volume(tmp_path), Volume(tmp_path)
    with Qmp(server.guest.control) as qmp:
        source = {"driver": "file", "filename": str(foreign.path)}
        qmp.execute("blockdev-add", {"driver": "raw", "node-name": "root", "file": source})
        device = {"driver": "virtio-blk-pci", "id": "disk0", "drive": "root", "serial": "root"}
        qmp.execute("device_add", device)
    server.wait_for_disk("root")
    assert driver.list_disks(server.server_id) == []
    disk = driver.attach(server.server_id, own.volume_id, own.connection_info)
    assert disk.device == f"/dev/{server.wait_for_disk(own.serial).name}" == "/dev/vdb"
    assert driver.detach(server.server_id, own.serial, wait_s=LONG_S)
    assert driver.detach(server.server_id, "root", wait_s=LONG_S)
    assert server.find_disk("root")


# Exports


def test_a_volume_over_nbd_outlives_its_server_and_grows(driver, server, volume, sockets):
    nbd = NbdServer(volume, sockets / "nbd")
    with nbd.running():
        driver.attach(server.server_id, volume.volume_id, nbd.connection_info)
        server.wait_for_disk(volume.serial)
        server.write(volume.serial, 0, PATTERN)
    writing = Thread(target=lambda: server.write(volume.serial, SIZE_BYTES - 512, b"later"))
    writing.start()
    with pytest.raises(DriverError) as caught:
        driver.extend(server.server_id, volume.serial, 2 * SIZE_BYTES)
    assert caught.value.retryable
    volume.grow(2 * SIZE_BYTES)
    with nbd.running():
        writing.join(LONG_S)
        assert volume.read(SIZE_BYTES - 512, 5) == b"later"
        insist(lambda: driver.extend(server.server_id, volume.serial, 2 * SIZE_BYTES))
        server.wait_for_disk(volume.serial, size_bytes=2 * SIZE_BYTES)
        assert server.read(volume.serial, 0, len(PATTERN)) == PATTERN
    # What the guest has written last is to be made durable, which takes a server.
    with ThreadPoolExecutor() as threads:
        detached = threads.submit(
            insist, lambda: driver.detach(server.server_id, volume.serial, wait_s=LONG_S)
        )
        wait([detached], timeout=SHORT_S)
        with nbd.running():
            assert detached.result(LONG_S)
    assert server.leftovers() == []


def test_an_idle_volume_over_nbd_grows(driver, server, volume, sockets):
    nbd = NbdServer(volume, sockets / "nbd")
    with nbd.running():
        driver.attach(server.server_id, volume.volume_id, nbd.connection_info)
        server.wait_for_disk(volume.serial)
    volume.grow(2 * SIZE_BYTES)
    with nbd.running():
        insist(lambda: driver.extend(server.server_id, volume.serial, 2 * SIZE_BYTES))
        server.wait_for_disk(volume.serial, size_bytes=2 * SIZE_BYTES)


def test_an_export_that_is_not_there_can_be_tried_again(driver, server, volume, sockets):
    nbd = NbdServer(volume, sockets / "nbd")
    with pytest.raises(DriverError) as caught:
        driver.attach(server.server_id, volume.volume_id, nbd.connection_info)
    assert caught.value.retryable
    assert server.leftovers() == []


def test_a_volume_over_iscsi_needs_its_password(driver, server, volume):
    with iscsi_target(volume) as info:
        info["data"]["auth_password"] = "wrong-and-long-enough"
        with pytest.raises(DriverError) as caught:
            driver.attach(server.server_id, volume.volume_id, info)
        assert caught.value.code == Reason.unavailable
        assert server.leftovers() == []
        info["data"]["auth_password"] = PASSWORD
        driver.attach(server.server_id, volume.volume_id, info)
        server.wait_for_disk(volume.serial)
        server.write(volume.serial, 0, PATTERN)
        with Qmp(server.guest.control) as qmp:
            assert PASSWORD not in str(qmp.execute("query-named-block-nodes"))
        assert driver.detach(server.server_id, volume.serial, wait_s=LONG_S)
    assert volume.read(0, len(PATTERN)) == PATTERN
    assert server.leftovers() == []


# Killed in between


class KilledError(BaseException):
    """Stands for the death of a worker: nothing but the end of its conversation follows."""


@contextmanager
def killed_after(commands: int, monkeypatch) -> Iterator[None]:
    """Let QEMU do this many commands for the driver, and then hear no more of it."""
    execute = Qmp.execute
    left = commands

    def execute_or_die(qmp, command, arguments=None):
        nonlocal left
        if command != "qmp_capabilities":
            if left == 0:
                raise KilledError
            left -= 1
        return execute(qmp, command, arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Qmp, "execute", execute_or_die)
        yield


@pytest.mark.parametrize("act", ["attach", "detach"])
def test_killed_anywhere_the_next_call_completes_it(driver, server, volume, monkeypatch, act):
    def attach() -> None:
        driver.attach(server.server_id, volume.volume_id, info)

    def detach() -> None:
        assert driver.detach(server.server_id, volume.serial, wait_s=LONG_S)

    with iscsi_target(volume) as info:  # which has the most parts
        for commands in count():
            if act == "detach":
                attach()
                server.wait_for_disk(volume.serial)
            killed = True
            with suppress(KilledError), killed_after(commands, monkeypatch):
                attach() if act == "attach" else detach()
                killed = False
            secret = f"khoi-secret-{volume.serial}"
            holds_volume = any(name != secret for name in server.leftovers())
            assert bool(driver.list_disks(server.server_id)) == holds_volume
            if act == "attach":
                attach()
                server.wait_for_disk(volume.serial)
            detach()
            assert server.leftovers() == []
            if not killed:
                break
        assert commands > 5
