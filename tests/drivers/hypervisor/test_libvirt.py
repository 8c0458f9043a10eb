import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from drivers.errors import DriverError, Reason
from drivers.hypervisor import libvirt_binding
from drivers.hypervisor.base import ServerStatus
from drivers.hypervisor.libvirt import LibvirtDriver
from storage_project.tour.guest.agent import Agent, GuestDisk
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
from tests.guests.libvirt_daemon import NAME, SLOTS, UUID, LibvirtDaemon, libvirt_daemon
from tests.guests.saved import short_folder


@dataclass
class LibvirtServer:
    """The domain of our own daemon."""

    daemon: LibvirtDaemon
    agent: Agent
    server_id: str = UUID
    name: str = NAME

    def find_disk(self, serial: str) -> GuestDisk | None:
        return self.agent.find_disk(serial)

    def wait_for_disk(self, serial: str, *, size_bytes: int | None = None) -> GuestDisk:
        return self.agent.wait_for_disk(serial, size_bytes=size_bytes)

    def write(self, serial: str, offset: int, data: bytes) -> None:
        self.agent.write(serial, offset, data)

    def read(self, serial: str, offset: int, length: int) -> bytes:
        return self.agent.read(serial, offset, length)

    def hold(self) -> None:
        with self.daemon.domain() as domain:
            domain.suspend()

    def release(self) -> None:
        with self.daemon.domain() as domain:
            domain.resume()

    def switch_off(self) -> None:
        self.daemon.switch_off()

    def secrets(self) -> list:
        with self.daemon.connection() as connection:
            return connection.listAllSecrets()


@pytest.fixture(scope="module")
def daemon() -> Iterator[LibvirtDaemon]:
    with short_folder() as folder, libvirt_daemon(folder) as daemon:
        yield daemon


@pytest.fixture
def driver(daemon) -> LibvirtDriver:
    return libvirt_driver(daemon.uri)


@pytest.fixture
def server(daemon) -> Iterator[LibvirtServer]:
    with daemon.restored() as agent:
        yield LibvirtServer(daemon, agent)


@pytest.fixture
def volume(tmp_path) -> Volume:
    return Volume(tmp_path)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def libvirt_driver(uri: str) -> LibvirtDriver:
    driver = LibvirtDriver(LibvirtDriver.Options(uri=uri), name="kvm", home=Path("/"))
    driver.check()
    return driver


class TestLibvirtDriver(OpeningHypervisorContract):
    @pytest.fixture
    def driver(self, driver):
        return driver

    @pytest.fixture
    def server(self, server):
        return server


# Servers


def test_a_domain_that_is_off_or_paused_says_so(driver, server):
    def status() -> ServerStatus:
        (found,) = driver.list_servers()
        return found.status

    server.hold()
    assert status() == ServerStatus.PAUSED
    server.switch_off()
    assert status() == ServerStatus.SHUTOFF


def test_a_domain_without_a_free_slot_says_so(driver, server, tmp_path):
    volumes = [Volume(tmp_path) for _ in range(SLOTS + 1)]
    with pytest.raises(DriverError) as caught:  # noqa: PT012 - some fit, and not as many as slots
        for volume in volumes:
            driver.attach(server.server_id, volume.volume_id, volume.connection_info)
    assert caught.value.code == Reason.unsupported
    assert "slot" in caught.value.sentence


def test_a_daemon_that_is_away_takes_no_disk_away(daemon, driver, server, volume):
    disk = driver.attach(server.server_id, volume.volume_id, volume.connection_info)
    server.wait_for_disk(volume.serial)
    daemon.kill()
    try:
        for act in (
            driver.check,
            lambda: driver.list_disks(server.server_id),
            lambda: driver.detach(server.server_id, volume.serial, wait_s=SHORT_S),
        ):
            with pytest.raises(DriverError) as caught:
                act()
            assert caught.value.code == Reason.unavailable
            assert caught.value.retryable
        server.write(volume.serial, 0, PATTERN)
    finally:
        daemon.start()
    assert driver.list_disks(server.server_id) == [disk]
    assert driver.detach(server.server_id, volume.serial, wait_s=LONG_S)
    assert volume.read(0, len(PATTERN)) == PATTERN


# Exports


def test_a_volume_over_nbd_outlives_its_server_and_grows(driver, server, volume):
    with short_folder() as folder:
        nbd = NbdServer(volume, folder / "nbd")
        with nbd.running():
            driver.attach(server.server_id, volume.volume_id, nbd.connection_info)
            server.wait_for_disk(volume.serial)
        with pytest.raises(DriverError) as caught:
            driver.extend(server.server_id, volume.serial, 2 * SIZE_BYTES)
        assert caught.value.retryable
        volume.grow(2 * SIZE_BYTES)
        with ThreadPoolExecutor() as threads:
            written = threads.submit(server.write, volume.serial, 0, PATTERN)
            # The guest is stopped, and goes on when the servers are looked at.
            wait_until(lambda: driver.list_servers()[0].status == ServerStatus.PAUSED)
            with nbd.running():
                wait_until(lambda: driver.list_servers()[0].status == ServerStatus.ACTIVE)
                written.result(LONG_S)
                insist(lambda: driver.extend(server.server_id, volume.serial, 2 * SIZE_BYTES))
                server.wait_for_disk(volume.serial, size_bytes=2 * SIZE_BYTES)
                assert server.read(volume.serial, 0, len(PATTERN)) == PATTERN
                assert driver.detach(server.server_id, volume.serial, wait_s=LONG_S)
    assert volume.read(0, len(PATTERN)) == PATTERN


def test_an_idle_volume_over_nbd_grows(driver, server, volume):
    with short_folder() as folder:
        nbd = NbdServer(volume, folder / "nbd")
        with nbd.running():
            driver.attach(server.server_id, volume.volume_id, nbd.connection_info)
            server.wait_for_disk(volume.serial)
        volume.grow(2 * SIZE_BYTES)
        with nbd.running():
            insist(lambda: driver.extend(server.server_id, volume.serial, 2 * SIZE_BYTES))
            server.wait_for_disk(volume.serial, size_bytes=2 * SIZE_BYTES)
            server.switch_off()


def test_a_volume_over_iscsi_needs_its_password(driver, server, volume):
    with iscsi_target(volume) as info:
        info["data"]["auth_password"] = "wrong-and-long-enough"
        with pytest.raises(DriverError) as caught:
            driver.attach(server.server_id, volume.volume_id, info)
        assert caught.value.code == Reason.unavailable
        info["data"]["auth_password"] = PASSWORD
        driver.attach(server.server_id, volume.volume_id, info)
        server.wait_for_disk(volume.serial)
        server.write(volume.serial, 0, PATTERN)
        with server.daemon.domain() as domain:
            assert PASSWORD not in domain.XMLDesc()
        assert driver.detach(server.server_id, volume.serial, wait_s=LONG_S)
    assert volume.read(0, len(PATTERN)) == PATTERN
    assert server.secrets() == []


# The binding


def test_without_the_binding_the_sentence_says_what_to_install(monkeypatch, tmp_path):
    for name in libvirt_binding.NAMES:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(libvirt_binding, "DEBIAN_FOLDER", str(tmp_path))
    libvirt_binding.libvirt_binding.cache_clear()
    try:
        with pytest.raises(DriverError, match="python3-libvirt") as caught:
            libvirt_driver("qemu:///session")
        assert caught.value.code == Reason.unavailable
    finally:
        libvirt_binding.libvirt_binding.cache_clear()
