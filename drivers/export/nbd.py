"""Volumes that are files, as NBD exports on unix sockets of this machine.

    <home>/exports/<name>/<host>/nbd    the socket that servers connect to
    <home>/exports/<name>/<host>/qmp    the socket that the daemon is told on

Each attaching host has a `qemu-storage-daemon` of its own, and so a socket: a host cannot reach
what another has attached, and a daemon that dies takes one host's exports with it.
"""

import grp
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from drivers.errors import DriverError, Reason
from drivers.export import storage_daemon
from drivers.export.base import Connector, Export, Published
from drivers.export.checks import is_host_name, require_file, require_programs, require_taken
from drivers.export.connection import connection_info
from drivers.export.daemon_folder import SOCKET_PATH_BYTES, DaemonFolder, fits_socket
from drivers.export.supervised import WAIT_S, SupervisedExport
from drivers.options import Option
from drivers.qmp import Qmp
from drivers.volume.base import JSON
from drivers.volume.checks import require_uuid
from drivers.volume.os_errors import translated_os_errors

SOCKET = "nbd"
CONTROL = "qmp"
SHORT_HOST_BYTES = 16


class NbdExport(SupervisedExport[Qmp]):
    """One daemon per attaching host; its exports are called as the attachments are."""

    protocol = "nbd"
    fences = True
    extends_in_use = True

    @dataclass(frozen=True, kw_only=True)
    class Options:
        host: Annotated[str, Option("the only host that may attach; empty for any")] = ""
        group: Annotated[
            str, Option("the group whose members may connect; empty for the owner alone")
        ] = ""

    options: Options

    def __init__(self, options: Options, *, name: str, home: Path) -> None:
        super().__init__(options, name=name, home=home)

    @translated_os_errors()
    def check(self) -> None:
        require_programs({"qemu-storage-daemon": "qemu-system-common", "setpriv": "util-linux"})
        if self.options.group:
            self._group_id()
        if not self._has_room_for("h" * SHORT_HOST_BYTES):
            raise DriverError(
                "The path of the home folder is too long for the sockets below it.",
                code=Reason.unsupported,
                detail=f"{self.path}/<host>/{SOCKET}: at most {SOCKET_PATH_BYTES} bytes",
            )

    def refusal(self, hints: Mapping[str, JSON], connector: Connector) -> str | None:
        if hints.get("kind") != "file":
            return "is for volumes that are files"
        if self.options.host and connector.host != self.options.host:
            return "is for servers on the machine that holds the volume"
        if not is_host_name(connector.host):
            return "needs a host whose name is letters, digits, dots, - and _"
        if not self._has_room_for(connector.host):
            return "is for hosts with a shorter name"
        return None

    @translated_os_errors()
    def publish(self, export: Export) -> dict[str, JSON]:
        require_taken(self, export)
        path = require_file(export)
        folder = DaemonFolder(self.path / export.connector.host)
        with self.daemon(folder) as qmp:
            storage_daemon.add_export(qmp, export.export_id, path, read_only=export.read_only)
            if self.options.group:
                self._let_group_connect(folder)
        socket = str(folder.path / SOCKET)
        return connection_info("nbd", export, socket=socket, export=export.export_id, discard=True)

    @translated_os_errors()
    def revoke(self, export_id: str, *, host: str) -> None:
        require_uuid(export_id)
        with self.daemon_if_there(host) as qmp:
            if qmp is not None:
                storage_daemon.remove_export(qmp, export_id)

    @translated_os_errors()
    def list_exports(self) -> list[Published]:
        published = []
        for folder in self.folders():
            with self.connected(folder) as qmp:
                ids = [] if qmp is None else self.export_ids(qmp)
            published += [Published(export_id, folder.path.name) for export_id in ids]
        return published

    @translated_os_errors()
    def extend(self, export: Export) -> None:
        require_taken(self, export)
        path = require_file(export)
        with self.daemon(DaemonFolder(self.path / export.connector.host)) as qmp:
            if storage_daemon.size_bytes(qmp, export.export_id) != path.stat().st_size:
                # QEMU does not let an exported node grow. A client that reconnects, as ours do,
                # waits for a moment and finds the new size. To open the file anew never cuts it,
                # which a resize to a size that is out of date would.
                storage_daemon.remove_export(qmp, export.export_id)
                storage_daemon.add_export(qmp, export.export_id, path, read_only=export.read_only)

    # The daemons

    def folder_for(self, host: str) -> DaemonFolder | None:
        can_be = is_host_name(host) and self._has_room_for(host)
        return DaemonFolder(self.path / host) if can_be else None

    @contextmanager
    def connected(self, folder: DaemonFolder) -> Iterator[Qmp | None]:
        qmp: Qmp | None = None
        with ExitStack() as stack:
            with (
                storage_daemon.translated_qmp_errors(),
                suppress(FileNotFoundError, ConnectionError),  # also one that dies just now
            ):
                qmp = stack.enter_context(Qmp(folder.path / CONTROL, timeout_s=WAIT_S))
            yield qmp

    def export_ids(self, client: Qmp) -> Collection[str]:
        return storage_daemon.list_exports(client)

    def keep(self, folder: DaemonFolder) -> bool:
        # Names without a path: QEMU would take a comma in it for the end of the option.
        command = [
            "qemu-storage-daemon",
            *("--chardev", f"socket,id=qmp,path={CONTROL},server=on,wait=off"),
            *("--monitor", "chardev=qmp"),
            *("--nbd-server", f"addr.type=unix,addr.path={SOCKET},max-connections=0"),
        ]
        return self._daemons.keep(folder.path, command)

    # Names and rights

    def _has_room_for(self, host: str) -> bool:
        return fits_socket(self.path / host / SOCKET)

    def _group_id(self) -> int:
        try:
            return grp.getgrnam(self.options.group).gr_gid
        except KeyError as error:
            raise DriverError(
                "The group that may connect is not known on this machine.",
                code=Reason.unavailable,
                detail=f"group {self.options.group!r}",
            ) from error

    def _let_group_connect(self, folder: DaemonFolder) -> None:
        for path, mode in ((folder.path, 0o710), (folder.path / SOCKET, 0o660)):
            os.chown(path, -1, self._group_id())
            path.chmod(mode)
