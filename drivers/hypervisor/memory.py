"""A simulated hypervisor: servers in this process's memory, with faults on demand.

For tests, and for trying how automation copes with servers that stop, or that do not let a disk go.
Threads share it; another process has its own, and all is forgotten when the process ends.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from drivers.faults import FaultOptions, Faults, faulty, faulty_when_planned
from drivers.hypervisor.base import (
    Disk,
    HypervisorDriver,
    ServerInfo,
    ServerStatus,
    serial_of,
)
from drivers.hypervisor.checks import (
    derived_server_id,
    free_device,
    is_read_only,
    no_such_disk,
    no_such_server,
    not_running,
    protocol_of,
    unknown_protocol,
)
from drivers.options import Option
from drivers.volume.base import JSON
from drivers.volume.checks import require_uuid

PROTOCOLS = {"gpfs", "iscsi", "local", "memory", "nbd", "rbd"}  # every one that an export speaks


@dataclass(kw_only=True)
class SimulatedDisk:
    """A disk as the simulated guest sees it."""

    serial: str
    device: str
    connection_info: Mapping[str, JSON]
    read_only: bool
    size_bytes: int = 0  # what the guest was last told; 0 before that
    is_unwanted: bool = False  # the guest was asked to release it


@dataclass(kw_only=True)
class SimulatedServer:
    """A server, and whether its guest lets go what it is asked for."""

    name: str
    is_running: bool = True
    holds: bool = False
    disks: dict[str, SimulatedDisk] = field(default_factory=dict)

    def let_go(self) -> None:
        """Drop the disks that are unwanted, unless the guest holds them."""
        if not self.holds:
            self.disks = {k: v for k, v in self.disks.items() if not v.is_unwanted}


class MemoryHypervisor(HypervisorDriver):
    """Simulated servers. They run from the start, and attach and release disks at once."""

    in_process = True

    @dataclass(frozen=True, kw_only=True)
    class Options(FaultOptions):
        servers: Annotated[list[str], Option("the names of the simulated servers")]

    options: Options

    def __init__(self, options: Options, *, name: str, home: Path) -> None:
        super().__init__(options, name=name, home=home)
        self.faults = Faults(options)
        self._changed = threading.Condition()
        self._servers = {
            derived_server_id(name, server): SimulatedServer(name=server)
            for server in options.servers
        }

    @faulty_when_planned
    def check(self) -> None:
        pass  # memory is always within reach

    @faulty_when_planned
    def list_servers(self) -> list[ServerInfo]:
        with self._changed:
            return [
                ServerInfo(
                    server_id=server_id,
                    name=server.name,
                    status=ServerStatus.ACTIVE if server.is_running else ServerStatus.SHUTOFF,
                    vcpus=1,
                    memory_mib=128,
                )
                for server_id, server in self._servers.items()
            ]

    @faulty_when_planned
    def list_disks(self, server_id: str) -> list[Disk]:
        with self._changed:
            return [Disk(serial=disk.serial, device=disk.device) for disk in self.look(server_id)]

    @faulty
    def attach(
        self,
        server_id: str,
        volume_id: str,
        connection_info: Mapping[str, JSON],
        *,
        read_only: bool = False,
    ) -> Disk:
        serial = serial_of(require_uuid(volume_id))
        protocol, data = protocol_of(connection_info)
        with self._changed:
            server = self._server(server_id)
            if not server.is_running:
                raise not_running()
            disk = server.disks.get(serial)
            if disk is None:
                if protocol not in PROTOCOLS:
                    raise unknown_protocol(protocol)
                device = free_device({each.device for each in server.disks.values()})
                disk = server.disks[serial] = SimulatedDisk(
                    serial=serial,
                    device=device,
                    connection_info=connection_info,
                    read_only=read_only or is_read_only(data),
                )
            return Disk(serial=serial, device=disk.device)

    @faulty
    def detach(self, server_id: str, serial: str, *, wait_s: float) -> bool:
        with self._changed:
            server = self._servers.get(server_id)
            if server is None or serial not in server.disks:
                return True
            server.disks[serial].is_unwanted = True
            server.let_go()
            self._changed.notify_all()
            return self._changed.wait_for(lambda: serial not in server.disks, wait_s)

    @faulty
    def extend(self, server_id: str, serial: str, size_bytes: int) -> None:
        with self._changed:
            disk = self._server(server_id).disks.get(serial)
            if disk is None:
                raise no_such_disk(serial)
            disk.size_bytes = max(disk.size_bytes, size_bytes)

    # What happens on the servers' own side

    def look(self, server_id: str) -> list[SimulatedDisk]:
        """The disks that the guest of a server sees."""
        with self._changed:
            return [*self._server(server_id).disks.values()]

    def hold(self, server_id: str) -> None:
        """Let the guest release no disk from now on."""
        with self._changed:
            self._server(server_id).holds = True

    def release(self, server_id: str) -> None:
        """Let the guest release disks again, at once those that it was asked for."""
        with self._changed:
            server = self._server(server_id)
            server.holds = False
            server.let_go()
            self._changed.notify_all()

    def stop(self, server_id: str) -> None:
        """Switch a server off; its disks go with it."""
        with self._changed:
            server = self._server(server_id)
            server.is_running = False
            server.disks = {}
            self._changed.notify_all()

    def start(self, server_id: str) -> None:
        """Switch a server on."""
        with self._changed:
            self._server(server_id).is_running = True

    def _server(self, server_id: str) -> SimulatedServer:
        try:
            return self._servers[server_id]
        except KeyError:
            raise no_such_server(server_id) from None
