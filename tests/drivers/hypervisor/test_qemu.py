from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from drivers.hypervisor.qemu import QemuDriver
from storage_project.tour.guest.agent import GuestDisk
from storage_project.tour.guest.guest import Guest
from tests.contracts.hypervisor_driver import OpeningHypervisorContract
from tests.guests.saved import SavedGuest, short_folder


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


@pytest.fixture
def sockets() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture
def driver(sockets) -> QemuDriver:
    driver = QemuDriver(QemuDriver.Options(sockets=sockets), name="kvm", home=Path("/"))
    driver.check()
    return driver


def run(saved: SavedGuest, sockets: Path) -> Iterator[QemuServer]:
    server_id = str(uuid4())
    monitor = sockets / "web.qmp"
    with saved.restored(monitor, name="web", server_id=server_id) as guest:
        yield QemuServer(guest, server_id)


class TestQemuDriver(OpeningHypervisorContract):
    @pytest.fixture
    def driver(self, driver):
        return driver

    @pytest.fixture
    def server(self, sockets, saved_guests):
        yield from run(saved_guests("pc"), sockets)
