"""The promises of `drivers.hypervisor.base`, as tests. See docs/drivers.md for how to run them.

A driver's test module subclasses `HypervisorContract` and supplies two fixtures; one whose
hypervisor really opens what it attaches subclasses `OpeningHypervisorContract`.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest

from drivers.errors import DriverError, Reason
from drivers.hypervisor.base import Disk, HypervisorDriver, ServerStatus, serial_of
from drivers.units import MIB
from drivers.volume.base import JSON

SIZE_BYTES = 8 * MIB
PATTERN = b"written by the guest" * 50
LONG_S = 30.0  # more than any guest takes that does what it is asked for
SHORT_S = 0.5


class SeenDisk(Protocol):
    """A disk, as the guest sees it."""

    size_bytes: int
    read_only: bool


class Server(Protocol):
    """A server that runs, seen from inside, and what can happen to it."""

    server_id: str
    name: str

    def find_disk(self, serial: str) -> SeenDisk | None:
        """What the guest sees under this serial just now."""

    def wait_for_disk(self, serial: str, *, size_bytes: int | None = None) -> SeenDisk:
        """Return once the guest sees it, of this size."""

    def write(self, serial: str, offset: int, data: bytes) -> None:
        """Have the guest write, and return when that is on the disk."""

    def read(self, serial: str, offset: int, length: int) -> bytes:
        """Have the guest read."""

    def hold(self) -> None:
        """From now on the guest releases nothing."""

    def release(self) -> None:
        """The guest goes on, also with what it was asked for in the meantime."""

    def switch_off(self) -> None:
        """End the server as a failure of power would."""


@dataclass
class Volume:
    """A volume that is a file of this machine."""

    folder: Path
    access_mode: str = "rw"
    volume_id: str = field(default_factory=lambda: str(uuid4()))

    def __post_init__(self) -> None:
        self.path.touch()
        self.grow(SIZE_BYTES)

    @property
    def path(self) -> Path:
        return self.folder / self.volume_id

    @property
    def serial(self) -> str:
        return serial_of(self.volume_id)

    @property
    def connection_info(self) -> dict[str, JSON]:
        return {
            "driver_volume_type": "gpfs",
            "data": {"device_path": str(self.path), "access_mode": self.access_mode},
        }

    def read(self, offset: int, length: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def grow(self, size_bytes: int) -> None:
        with self.path.open("r+b") as file:
            file.truncate(size_bytes)


def insist(act: Callable[[], Any]) -> Any:
    """Call until it succeeds; an error that is not worth a retry fails the test."""
    deadline = time.monotonic() + LONG_S
    while True:
        try:
            return act()
        except DriverError as error:
            if not error.retryable or time.monotonic() > deadline:
                raise


def disks_of(driver: HypervisorDriver, server: Server) -> list[Disk]:
    """The disks of a server; it has none when its hypervisor is gone with it."""
    try:
        return driver.list_disks(server.server_id)
    except DriverError as error:
        if error.code != Reason.not_found:
            raise
        return []


class HypervisorContract:
    """Supply `driver`, checked, and `server`, one of its servers, which runs and has no disk."""

    @pytest.fixture
    def driver(self) -> HypervisorDriver:
        raise NotImplementedError

    @pytest.fixture
    def server(self, driver: HypervisorDriver) -> Server:
        raise NotImplementedError

    @pytest.fixture
    def volume(self, tmp_path) -> Volume:
        return Volume(tmp_path)

    @pytest.fixture
    def attach(self, driver, server) -> Callable[..., Disk]:
        def attach(volume: Volume, **options) -> Disk:
            return driver.attach(
                server.server_id, volume.volume_id, volume.connection_info, **options
            )

        return attach

    @pytest.fixture
    def detach(self, driver, server) -> Callable[..., bool]:
        def detach(volume: Volume, wait_s: float = LONG_S) -> bool:
            return driver.detach(server.server_id, volume.serial, wait_s=wait_s)

        return detach

    # Servers

    def test_servers_are_listed(self, driver, server):
        (found,) = (each for each in driver.list_servers() if each.server_id == server.server_id)
        assert found.name == server.name
        assert found.status == ServerStatus.ACTIVE
        assert found.vcpus >= 1
        assert found.memory_mib >= 64
        assert driver.list_disks(server.server_id) == []

    def test_a_server_that_is_not_there_has_nothing(self, driver, server, volume):
        nobody = str(uuid4())
        for act in (
            lambda: driver.list_disks(nobody),
            lambda: driver.attach(nobody, volume.volume_id, volume.connection_info),
            lambda: driver.extend(nobody, volume.serial, SIZE_BYTES),
        ):
            with pytest.raises(DriverError) as caught:
                act()
            assert caught.value.code == Reason.not_found
            assert not caught.value.retryable
        assert driver.detach(nobody, volume.serial, wait_s=SHORT_S) is True

    def test_a_server_that_goes_off_takes_its_disks_with_it(
        self, driver, server, volume, attach, detach
    ):
        attach(volume)
        server.switch_off()
        assert disks_of(driver, server) == []
        assert detach(volume, wait_s=SHORT_S) is True
        with pytest.raises(DriverError) as caught:
            attach(volume)
        assert caught.value.code in (Reason.not_found, Reason.unavailable)
        assert not any(
            each.server_id == server.server_id and each.status == ServerStatus.ACTIVE
            for each in driver.list_servers()
        )

    # Attach and detach

    def test_what_the_guest_writes_is_on_the_volume(self, driver, server, volume, attach, detach):
        disk = attach(volume)
        assert disk.serial == volume.serial
        assert disk.device.startswith("/dev/vd")
        assert driver.list_disks(server.server_id) == [disk]
        server.wait_for_disk(volume.serial)
        server.write(volume.serial, MIB, PATTERN)
        assert detach(volume) is True
        assert driver.list_disks(server.server_id) == []
        assert server.find_disk(volume.serial) is None
        assert volume.read(MIB, len(PATTERN)) == PATTERN
        assert volume.read(0, MIB) == bytes(MIB)

    def test_disks_are_told_apart(self, driver, server, tmp_path, attach, detach):
        one, two = Volume(tmp_path), Volume(tmp_path)
        first, second = attach(one), attach(two)
        assert first.device != second.device
        for volume, data in ((two, b"two"), (one, b"one")):
            server.wait_for_disk(volume.serial)
            server.write(volume.serial, 0, data)
        assert detach(one) is True
        assert driver.list_disks(server.server_id) == [second]
        assert server.read(two.serial, 0, 3) == b"two"
        three = attach(Volume(tmp_path))
        assert {each.device for each in driver.list_disks(server.server_id)} == {
            second.device,
            three.device,
        }
        assert three.device != second.device
        assert (one.read(0, 3), two.read(0, 3)) == (b"one", b"two")

    def test_everything_can_be_repeated(self, driver, server, volume, attach, detach):
        assert detach(volume) is True
        disk = attach(volume)
        assert attach(volume) == disk
        assert driver.list_disks(server.server_id) == [disk]
        server.wait_for_disk(volume.serial)
        assert detach(volume) is True
        assert detach(volume) is True
        attach(volume)
        server.wait_for_disk(volume.serial)

    def test_threads_that_attach_the_same_volume_plug_in_one_disk(
        self, driver, server, volume, attach, detach
    ):
        with ThreadPoolExecutor(4) as threads:
            disks = {*threads.map(lambda _: insist(lambda: attach(volume)), range(4))}
            assert len(disks) == 1
            assert [*disks] == driver.list_disks(server.server_id)
            server.wait_for_disk(volume.serial)
            assert all(threads.map(lambda _: insist(lambda: detach(volume)), range(4)))
        assert driver.list_disks(server.server_id) == []

    def test_a_read_only_disk_is_so_for_the_guest(self, server, tmp_path, attach):
        asked, exported = Volume(tmp_path), Volume(tmp_path, access_mode="ro")
        attach(asked, read_only=True)
        attach(exported)
        for volume in (asked, exported):
            assert server.wait_for_disk(volume.serial).read_only

    def test_an_unknown_protocol_is_refused(self, driver, server, volume):
        info = {"driver_volume_type": "pigeon", "data": {}}
        with pytest.raises(DriverError) as caught:
            driver.attach(server.server_id, volume.volume_id, info)
        assert caught.value.code == Reason.unsupported
        assert "pigeon" in caught.value.sentence
        assert driver.list_disks(server.server_id) == []

    @pytest.mark.parametrize("bad_id", ["", "../etc", "8C9F1D3E-2A4B-4C5D-8E6F-7A8B9C0D1E2F"])
    def test_an_id_that_is_no_uuid_is_refused(self, driver, bad_id, volume):
        with pytest.raises(DriverError) as caught:
            driver.attach(str(uuid4()), bad_id, volume.connection_info)
        assert caught.value.code == Reason.invalid

    # A guest that does not release

    def test_a_disk_stays_until_the_guest_releases_it(self, driver, server, volume, attach, detach):
        disk = attach(volume)
        server.wait_for_disk(volume.serial)
        server.hold()
        for _ in range(2):
            assert detach(volume, wait_s=SHORT_S) is False
            assert driver.list_disks(server.server_id) == [disk]
        server.release()
        assert detach(volume) is True
        assert driver.list_disks(server.server_id) == []

    # Extend

    def test_the_guest_sees_that_a_volume_has_grown(self, driver, server, volume, attach):
        attach(volume)
        server.wait_for_disk(volume.serial)
        server.write(volume.serial, 0, PATTERN)
        volume.grow(2 * SIZE_BYTES)
        for size_bytes in (2 * SIZE_BYTES, 2 * SIZE_BYTES, SIZE_BYTES):
            driver.extend(server.server_id, volume.serial, size_bytes)
            server.wait_for_disk(volume.serial, size_bytes=2 * SIZE_BYTES)
        assert volume.path.stat().st_size == 2 * SIZE_BYTES
        assert server.read(volume.serial, 0, len(PATTERN)) == PATTERN

    def test_an_extend_that_is_late_cuts_nothing(self, driver, server, volume, attach):
        attach(volume)
        volume.grow(3 * SIZE_BYTES)
        driver.extend(server.server_id, volume.serial, 2 * SIZE_BYTES)
        assert volume.path.stat().st_size == 3 * SIZE_BYTES

    def test_a_disk_that_is_not_there_cannot_grow(self, driver, server, volume):
        with pytest.raises(DriverError) as caught:
            driver.extend(server.server_id, volume.serial, SIZE_BYTES)
        assert caught.value.code == Reason.not_found


class OpeningHypervisorContract(HypervisorContract):
    """For a hypervisor that opens volumes, and so can fail to."""

    def test_a_disk_is_as_large_as_its_volume(self, server, volume, attach):
        attach(volume)
        assert server.wait_for_disk(volume.serial).size_bytes == SIZE_BYTES

    def test_a_read_only_disk_grows_when_it_is_attached_anew(
        self, driver, server, volume, attach, detach
    ):
        attach(volume, read_only=True)
        server.wait_for_disk(volume.serial)
        volume.grow(2 * SIZE_BYTES)
        with pytest.raises(DriverError) as caught:
            driver.extend(server.server_id, volume.serial, 2 * SIZE_BYTES)
        assert caught.value.code == Reason.unsupported
        assert "read-only" in caught.value.sentence
        assert detach(volume)
        attach(volume, read_only=True)
        server.wait_for_disk(volume.serial, size_bytes=2 * SIZE_BYTES)

    def test_a_disk_over_a_former_export_makes_room(self, driver, server, volume, attach):
        attach(volume)
        server.wait_for_disk(volume.serial)
        path = volume.path.with_suffix(".anew")
        path.hardlink_to(volume.path)
        anew = {"driver_volume_type": "gpfs", "data": {"device_path": str(path)}}
        with pytest.raises(DriverError) as caught:
            driver.attach(server.server_id, volume.volume_id, anew)
        assert caught.value.code == Reason.busy
        insist(lambda: driver.attach(server.server_id, volume.volume_id, anew))
        volume.path.unlink()
        server.wait_for_disk(volume.serial)
        server.write(volume.serial, 0, PATTERN)
        assert path.read_bytes().startswith(PATTERN)

    def test_a_volume_that_cannot_be_opened_leaves_nothing(self, driver, server, volume, attach):
        volume.path.rename(volume.path.with_suffix(".away"))
        with pytest.raises(DriverError) as caught:
            attach(volume)
        assert caught.value.code == Reason.unavailable
        assert caught.value.retryable
        assert "/" not in caught.value.sentence
        assert driver.list_disks(server.server_id) == []
        volume.path.with_suffix(".away").rename(volume.path)
        attach(volume)
        server.wait_for_disk(volume.serial)
