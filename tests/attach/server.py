"""A guest that volumes are attached to, whatever hypervisor runs it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from drivers.hypervisor.base import HypervisorDriver, serial_of
from drivers.hypervisor.libvirt import LibvirtDriver
from drivers.hypervisor.qemu import QemuDriver
from storage_project.tour.guest.agent import Agent
from tests.attach.counting import Counter
from tests.attach.site import Site
from tests.guests.libvirt_daemon import UUID, LibvirtDaemon
from tests.guests.saved import SavedGuest


@dataclass(frozen=True)
class Server:
    """`hypervisor` looks at it from outside, `agent` from inside."""

    server_id: str
    agent: Agent
    hypervisor: HypervisorDriver
    hold: Callable[[], None]
    release: Callable[[], None]

    def write(self, volume_id: str, offset: int, data: bytes) -> None:
        """Have the guest write to a volume, as soon as it sees it."""
        self.agent.wait_for_disk(serial_of(volume_id))
        self.agent.write(serial_of(volume_id), offset, data)

    @contextmanager
    def counting(self, volume_id: str, *, sectors: int) -> Iterator[Counter]:
        """Have the guest write numbers to a volume inside of this, as soon as it sees it."""
        counter = Counter(self.agent)
        self.agent.wait_for_disk(serial_of(volume_id))
        self.agent.start_counting(serial_of(volume_id), sectors=sectors)
        yield counter
        counter.last = self.agent.stop_counting()

    def has_disk(self, volume_id: str) -> bool:
        """Whether the hypervisor has anything of a volume."""
        disks = self.hypervisor.list_disks(self.server_id)
        return serial_of(volume_id) in {disk.serial for disk in disks}


@contextmanager
def qemu_server(site: Site, saved: SavedGuest, name: str = "web") -> Iterator[Server]:
    """A guest in a QEMU process of its own, which the site knows and in the end forgets."""
    server_id = str(uuid4())
    options = QemuDriver.Options(sockets=site.sockets)
    driver = QemuDriver(options, name="qemu", home=site.home)
    with saved.restored(site.sockets / f"{name}.qmp", name=name, server_id=server_id) as guest:
        site.wait_for_server(server_id)
        yield Server(server_id, guest.agent, driver, guest.hold, guest.release)
    site.wait_for_end_of(server_id)


@contextmanager
def libvirt_server(site: Site, daemon: LibvirtDaemon) -> Iterator[Server]:
    """The domain of a libvirt daemon."""

    def hold() -> None:
        with daemon.domain() as domain:
            domain.suspend()

    def release() -> None:
        with daemon.domain() as domain:
            domain.resume()

    driver = LibvirtDriver(LibvirtDriver.Options(uri=daemon.uri), name="kvm", home=Path("/"))
    with daemon.restored() as agent:
        site.wait_for_server(UUID)
        yield Server(UUID, agent, driver, hold, release)
    site.wait_for_end_of(UUID)
