from pathlib import Path
from threading import Thread

import pytest

from drivers.errors import DriverError, Reason
from drivers.faults import Fault
from drivers.hypervisor.base import HypervisorDriver
from drivers.hypervisor.memory import MemoryHypervisor, SimulatedDisk
from drivers.options import read_options
from tests.contracts.hypervisor_driver import SHORT_S, HypervisorContract, Volume


def memory_hypervisor(*servers: str, **options) -> MemoryHypervisor:
    driver = MemoryHypervisor(
        MemoryHypervisor.Options(servers=[*servers], **options), name="simulated", home=Path("/")
    )
    driver.check()
    return driver


class SimulatedGuest:
    """Reads and writes, as a guest would, the file that a simulated disk stands for."""

    def __init__(self, driver: MemoryHypervisor, name: str) -> None:
        self.driver = driver
        self.name = name
        (self.server_id,) = (s.server_id for s in driver.list_servers() if s.name == name)

    def find_disk(self, serial: str) -> SimulatedDisk | None:
        for disk in self.driver.look(self.server_id):
            if disk.serial == serial:
                return disk
        return None

    def wait_for_disk(self, serial: str, *, size_bytes: int | None = None) -> SimulatedDisk:
        disk = self.find_disk(serial)
        assert disk is not None
        assert size_bytes in (None, disk.size_bytes)
        return disk

    def write(self, serial: str, offset: int, data: bytes) -> None:
        with self._open(serial) as file:
            file.seek(offset)
            file.write(data)

    def read(self, serial: str, offset: int, length: int) -> bytes:
        with self._open(serial) as file:
            file.seek(offset)
            return file.read(length)

    def hold(self) -> None:
        self.driver.hold(self.server_id)

    def release(self) -> None:
        self.driver.release(self.server_id)

    def switch_off(self) -> None:
        self.driver.stop(self.server_id)

    def _open(self, serial: str):
        data = self.wait_for_disk(serial).connection_info["data"]
        return Path(data["device_path"]).open("r+b")


class TestMemoryHypervisor(HypervisorContract):
    @pytest.fixture
    def driver(self) -> HypervisorDriver:
        return memory_hypervisor("web", "database")

    @pytest.fixture
    def server(self, driver):
        return SimulatedGuest(driver, "web")


def test_options_come_from_the_configuration():
    values = {"servers": ["web"], "failure_rate": 0.5, "seed": 3}
    options = read_options(MemoryHypervisor.Options, values, where="hypervisors.simulated")
    assert options == MemoryHypervisor.Options(servers=["web"], failure_rate=0.5, seed=3)


def test_every_process_knows_a_server_by_the_same_id():
    one, two = memory_hypervisor("web", "database"), memory_hypervisor("database", "web")
    ids = [{each.name: each.server_id for each in driver.list_servers()} for driver in (one, two)]
    assert ids[0] == ids[1]
    assert len({*ids[0].values()}) == 2


def test_an_attach_whose_reply_is_lost_is_there(tmp_path):
    driver = memory_hypervisor("web")
    (server,) = driver.list_servers()
    volume = Volume(tmp_path)
    driver.faults.next("attach", Fault.lost_reply())
    with pytest.raises(DriverError) as caught:
        driver.attach(server.server_id, volume.volume_id, volume.connection_info)
    assert caught.value.retryable
    (disk,) = driver.list_disks(server.server_id)
    assert disk == driver.attach(server.server_id, volume.volume_id, volume.connection_info)


def test_a_detach_that_waits_ends_when_the_guest_releases(tmp_path):
    driver = memory_hypervisor("web")
    guest = SimulatedGuest(driver, "web")
    volume = Volume(tmp_path)
    driver.attach(guest.server_id, volume.volume_id, volume.connection_info)
    guest.hold()
    assert driver.detach(guest.server_id, volume.serial, wait_s=SHORT_S) is False
    results = []
    waiting = Thread(
        target=lambda: results.append(driver.detach(guest.server_id, volume.serial, wait_s=60))
    )
    waiting.start()
    guest.release()
    waiting.join(30)
    assert results == [True]


def test_a_server_that_starts_again_has_no_disks(tmp_path):
    driver = memory_hypervisor("web")
    guest = SimulatedGuest(driver, "web")
    volume = Volume(tmp_path)
    driver.attach(guest.server_id, volume.volume_id, volume.connection_info)
    driver.stop(guest.server_id)
    with pytest.raises(DriverError) as caught:
        driver.attach(guest.server_id, volume.volume_id, volume.connection_info)
    assert caught.value.code == Reason.unavailable
    driver.start(guest.server_id)
    assert driver.list_disks(guest.server_id) == []
    driver.attach(guest.server_id, volume.volume_id, volume.connection_info)
