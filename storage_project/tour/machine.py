"""A guest to attach volumes to, where QEMU is, and a disk whose volumes reach it over NBD.

Both are configured beside what the operator has, for as long as the demo runs. The guest is there
before everything else and waits to be booted; it ends with the demo, and is forgotten.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError
from rich.console import Console

from drivers.errors import DriverError
from drivers.export.daemon_folder import fits_socket
from drivers.export.nbd import NbdExport
from drivers.hypervisor.checks import derived_server_id
from storage_project.config import add_configuration
from storage_project.tour.guest.agent import GuestError
from storage_project.tour.guest.guest import command, running
from storage_project.tour.guest.images import (
    GuestUnavailableError,
    must_be_fetched,
    prepare_images,
)
from volumes.backends import BINARY, host_of
from volumes.services.servers import forget_servers
from volumes.services.services import forget_service

GUEST = "demo-guest"
HYPERVISOR = "demo-qemu"
NBD_DISK = "demo-nbd"
GUEST_TOML = Path(__file__).with_name("guest.toml")
NBD_DISK_TOML = Path(__file__).with_name("nbd_disk.toml")


@dataclass(frozen=True)
class Machine:
    """How the guest is reached; where there is none, why not."""

    folder: Path
    why_missing: str = ""

    @property
    def server_id(self) -> str:
        """Its id; one on the same host that comes after it has the same."""
        return derived_server_id(HYPERVISOR, f"{settings.STORAGE_HOST}/{GUEST}")

    @property
    def monitor(self) -> Path:
        """For the hypervisor's driver alone."""
        return self.folder / "guest.qmp"

    @property
    def control(self) -> Path:
        return self.folder / "control"

    @property
    def console(self) -> Path:
        return self.folder / "console"


@contextmanager
def machine_in_place(console: Console) -> Iterator[Machine]:
    """Have the guest, configured, for the block; what it starts may run until its end."""
    machine = Machine(settings.STORAGE_HOME / "demo" / "guest")
    if must_be_fetched():
        console.print("Fetching a kernel for the guest of the tour; this happens once.")
    with ExitStack() as guest:
        try:
            guest.enter_context(_started(machine))
        except (GuestUnavailableError, GuestError) as error:
            machine = replace(machine, why_missing=str(error))
        else:
            add_configuration(GUEST_TOML)
            if _has_nbd():
                add_configuration(NBD_DISK_TOML)
        yield machine
    _forget()


def _forget() -> None:
    """Remove what is known of a guest and of a disk that are no more, and what is on the disk: who
    starts Khoi next may not have it."""
    with suppress(DatabaseError):  # it may be away
        forget_servers(hypervisor=HYPERVISOR)
        forget_service(binary=BINARY, host=host_of(NBD_DISK), with_volumes=True)
        shutil.rmtree(settings.STORAGE_HOME / "demo" / "nbd", ignore_errors=True)


@contextmanager
def _started(machine: Machine) -> Iterator[None]:
    """Run the guest, whose processor waits. Another demo of this home may have one."""
    if not fits_socket(machine.monitor):
        raise GuestUnavailableError("The path of the home is too long for the guest's sockets.")
    images = prepare_images()
    machine.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (machine.folder / "lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise GuestUnavailableError("Another demo has the guest.") from None
        line = command(
            images,
            machine.monitor,
            machine.folder,
            name=GUEST,
            server_id=machine.server_id,
            extra=["-S"],
        )
        try:
            with running(line, machine.monitor, machine.folder):
                yield
        finally:
            shutil.rmtree(machine.folder)


def _has_nbd() -> bool:
    export = NbdExport(NbdExport.Options(), name="nbd", home=settings.STORAGE_HOME)
    try:
        export.check()
    except DriverError:
        return False
    return True
