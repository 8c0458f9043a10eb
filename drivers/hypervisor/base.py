"""The interface of hypervisor drivers. Every driver passes `tests.contracts.hypervisor_driver`.

A disk is known by its serial, the first 20 characters of the volume's id, which is what the guest
sees too. Every act is idempotent by it: a disk that is there is attached, one that is gone is
detached. Failure is a `DriverError` whose sentence a user may read; nothing else escapes.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from drivers.volume.base import JSON

SERIAL_LENGTH = 20


def serial_of(volume_id: str) -> str:
    """The serial of a volume's disk: as much of its id as a virtio disk can carry."""
    return volume_id[:SERIAL_LENGTH]


class ServerStatus(StrEnum):
    """How a server stands, in the Compute API's words."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    SHUTOFF = "SHUTOFF"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """A server as its hypervisor knows it."""

    server_id: str  # a UUID, dashed and in lower case
    name: str
    status: ServerStatus
    vcpus: int = 0
    memory_mib: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A disk that one of our volumes is for the server."""

    serial: str
    device: str  # where the hypervisor put it; a guess of the guest's own name ("/dev/vdb")


class HypervisorDriver(ABC):
    """The hypervisor of this machine. Several processes may use it at once."""

    Options: ClassVar[type[Any]]  # the dataclass of `[hypervisors.<name>]`; see `drivers.options`
    # Whether its servers live in the memory of the process that asks, which threads then share.
    in_process: ClassVar[bool] = False

    def __init__(self, options: Any, *, name: str, home: Path) -> None:
        """Remember, touch nothing. Relative paths start at `home`."""
        self.options = options
        self.name = name
        self.home = home

    @abstractmethod
    def check(self) -> None:
        """Raise `DriverError` when the hypervisor cannot be reached at all."""

    @abstractmethod
    def list_servers(self) -> list[ServerInfo]:
        """Every server. Cheap: asked every few seconds. Who is not in it is off, or gone.

        One that lives and does not answer is listed as it was seen last; `unavailable` when it
        never was.
        """

    @abstractmethod
    def list_disks(self, server_id: str) -> list[Disk]:
        """Our disks of a server, also those that it was asked to release and has not yet.

        Raises `not_found` when there is no such server.
        """

    @abstractmethod
    def attach(
        self,
        server_id: str,
        volume_id: str,
        connection_info: Mapping[str, JSON],
        *,
        read_only: bool = False,
    ) -> Disk:
        """Plug a volume into a running server; one that is plugged in is left as it is.

        `connection_info` is what `ExportDriver.publish` returned. Returns when the hypervisor has
        it, whether or not the guest has looked. Raises `not_found` (no such server), `unsupported`
        (a driver_volume_type it does not know, no slot left), `unavailable` (retryable), and `busy`
        (retryable) while the server has the volume over another export, which a forced detach has
        left, and which it is asked to release.
        """

    @abstractmethod
    def detach(self, server_id: str, serial: str, *, wait_s: float) -> bool:
        """Ask the guest to release a disk; True once it is gone, False if not within `wait_s`.

        The request stays with the guest, so that it can be asked again and again. What holds the
        volume open is gone with the disk. A server that is not there, or does not run, has no disk.
        """

    @abstractmethod
    def extend(self, server_id: str, serial: str, size_bytes: int) -> None:
        """Tell the guest that a disk has grown; one that is as large already is left as it is.

        Raises `not_found` when the server or its disk is not there.
        """
