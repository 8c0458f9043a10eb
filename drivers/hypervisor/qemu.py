"""QEMU processes, each reached by a QMP monitor of its own: a socket in a folder.

A monitor listens to one client at a time, so what one conversation does is never mixed with
another's. The monitors must be for this driver alone (`qemu … -qmp unix:FOLDER/NAME.qmp,server=on,
wait=off`), and everything that is attached must be named by it: what else the server has is not
ours, and is left alone.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple
from uuid import UUID

from drivers.errors import DriverError, Reason
from drivers.hypervisor import qemu_disks
from drivers.hypervisor.base import (
    Disk,
    HypervisorDriver,
    ServerInfo,
    ServerStatus,
    serial_of,
)
from drivers.hypervisor.checks import derived_server_id, no_such_disk, no_such_server
from drivers.options import Option
from drivers.qmp import Qmp, QmpError
from drivers.units import MIB
from drivers.volume.base import JSON
from drivers.volume.checks import require_uuid

SUFFIXES = {".qmp", ".sock"}
POLL_S = 0.05
# How long one server may keep the list of all waiting.
LOOK_TIMEOUT_S = 2.0

STATUSES = {
    "running": ServerStatus.ACTIVE,
    "shutdown": ServerStatus.SHUTOFF,
    "internal-error": ServerStatus.ERROR,
    "guest-panicked": ServerStatus.ERROR,
}  # every other one is some way to be paused


class Identity(NamedTuple):
    server_id: str
    name: str


class QemuDriver(HypervisorDriver):
    """The servers are the sockets of a folder on which QEMU answers."""

    @dataclass(frozen=True, kw_only=True)
    class Options:
        sockets: Annotated[Path, Option("the folder of the servers' QMP sockets")]
        timeout_s: Annotated[float, Option("how long to wait for a server", above=0)] = 10.0

    options: Options

    def __init__(self, options: Options, *, name: str, home: Path) -> None:
        super().__init__(options, name=name, home=home)
        self.sockets = home / options.sockets
        # Where each server was seen last: only where to look first.
        self._seen: dict[str, Path] = {}
        # What each socket's server said last.
        self._infos: dict[Path, ServerInfo] = {}

    def check(self) -> None:
        if not self.sockets.is_dir():
            raise DriverError(
                "The folder of the servers' sockets is missing; an operator must make it.",
                code=Reason.unavailable,
                detail=str(self.sockets),
            )

    def list_servers(self) -> list[ServerInfo]:
        servers = []
        for path in self._paths():
            try:
                with Qmp(path, timeout_s=min(LOOK_TIMEOUT_S, self.options.timeout_s)) as qmp:
                    self._infos[path] = self._info(qmp, path)
            except (FileNotFoundError, ConnectionError, QmpError, ValueError):
                self._infos.pop(path, None)  # dead, or something else than QEMU
                continue
            except OSError as error:
                # It lives. Not in the list it would be off, and its disks anybody's.
                if path not in self._infos:
                    raise silent(error) from error
            servers.append(self._infos[path])
        return servers

    def list_disks(self, server_id: str) -> list[Disk]:
        with self._server(server_id) as qmp:
            return [*qemu_disks.find_all(qmp).values()]

    def attach(
        self,
        server_id: str,
        volume_id: str,
        connection_info: Mapping[str, JSON],
        *,
        read_only: bool = False,
    ) -> Disk:
        serial = serial_of(require_uuid(volume_id))
        with self._server(server_id) as qmp:
            return qemu_disks.plug_in(qmp, serial, connection_info, read_only=read_only)

    def detach(self, server_id: str, serial: str, *, wait_s: float) -> bool:
        deadline = time.monotonic() + wait_s
        while True:
            # A conversation for each look, so that others have their turn while the guest thinks.
            try:
                with self._server(server_id) as qmp:
                    if qemu_disks.unplug(qmp, serial):
                        return True
            except DriverError as error:
                if error.code != Reason.not_found:
                    raise
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)

    def extend(self, server_id: str, serial: str, size_bytes: int) -> None:
        with self._server(server_id) as qmp:
            if not qemu_disks.grow(qmp, serial, size_bytes):
                raise no_such_disk(serial)

    # Servers

    def _paths(self) -> list[Path]:
        try:
            return sorted(
                path
                for path in self.sockets.iterdir()
                if path.suffix in SUFFIXES and path.is_socket()
            )
        except OSError as error:
            raise DriverError(
                "The folder of the servers' sockets cannot be read.",
                code=Reason.unavailable,
                retryable=True,
                detail=str(error),
            ) from error

    @contextmanager
    def _server(self, server_id: str) -> Iterator[Qmp]:
        """Talk to a server, alone. Raises `not_found`, or `unavailable` when one is silent."""
        with ExitStack() as conversation:
            qmp = self._find(server_id, conversation)
            try:
                yield qmp
            except ConnectionError as error:
                raise no_such_server(server_id) from error  # it ended now, its disks with it
            except OSError as error:
                raise silent(error) from error
            except QmpError as error:
                raise DriverError(
                    "The hypervisor refused.", code=Reason.failed, detail=str(error)
                ) from error

    def _find(self, server_id: str, conversation: ExitStack) -> Qmp:
        """Begin the conversation with a server."""
        silence: OSError | None = None
        first = self._seen.get(server_id)
        for path in sorted(self._paths(), key=lambda path: path != first):
            with ExitStack() as stack:
                try:
                    qmp = stack.enter_context(Qmp(path, timeout_s=self.options.timeout_s))
                    found = self._identity(qmp, path).server_id
                except (FileNotFoundError, ConnectionError, QmpError, ValueError):
                    continue  # dead, or something else than QEMU
                except OSError as error:
                    silence = error  # it lives, and may be the one
                    continue
                self._seen[found] = path
                if found == server_id:
                    conversation.push(stack.pop_all())
                    return qmp
        if silence:
            raise silent(silence)
        raise no_such_server(server_id)

    def _identity(self, qmp: Qmp, path: Path) -> Identity:
        uuid = UUID(qmp.execute("query-uuid")["UUID"])
        name = qmp.execute("query-name").get("name") or path.stem
        return Identity(str(uuid) if uuid.int else derived_server_id(self.name, path.stem), name)

    def _info(self, qmp: Qmp, path: Path) -> ServerInfo:
        identity = self._identity(qmp, path)
        status = qmp.execute("query-status")["status"]
        return ServerInfo(
            server_id=identity.server_id,
            name=identity.name,
            status=STATUSES.get(status, ServerStatus.PAUSED),
            vcpus=len(qmp.execute("query-cpus-fast")),
            memory_mib=qmp.execute("query-memory-size-summary")["base-memory"] // MIB,
        )


def silent(error: OSError) -> DriverError:
    return DriverError(
        "The server's hypervisor does not answer.",
        code=Reason.unavailable,
        retryable=True,
        detail=str(error),
    )
