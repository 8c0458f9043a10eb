"""Volumes that are files, as NBD exports on unix sockets of this machine.

Each attaching host has a `qemu-storage-daemon` of its own, and so a socket: a host cannot reach
what another has attached, and a daemon that dies takes one host's exports with it. See
`host_folder` for where they live and `storage_daemon` for what they are told.
"""

import grp
import os
import re
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from drivers.errors import DriverError, Reason
from drivers.export import storage_daemon
from drivers.export.base import Connector, Export, ExportDriver, Published
from drivers.export.checks import require_file, require_programs, require_taken
from drivers.export.connection import connection_info
from drivers.export.daemons import Daemons
from drivers.export.host_folder import HostFolder
from drivers.options import Option
from drivers.qmp import Qmp
from drivers.volume.base import JSON
from drivers.volume.checks import require_uuid
from drivers.volume.os_errors import translated_os_errors

# How long others may be at work for the same host, a daemon may take to start, and to answer.
WAIT_S = 10.0
RETRY_S = 0.01

# What the kernel allows for the name of a unix socket, and what must be left of it for a host's.
SOCKET_PATH_BYTES = 107
SHORT_HOST_BYTES = 16
HOST_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class NbdExport(ExportDriver):
    """One daemon per attaching host; its exports are called as the attachments are."""

    protocol = "nbd"
    has_daemons = True
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
        self.path = home / "exports" / name
        self._daemons = Daemons()

    @translated_os_errors()
    def check(self) -> None:
        require_programs({"qemu-storage-daemon": "qemu-system-common", "setpriv": "util-linux"})
        self._group_id()
        if not self._has_room_for("h" * SHORT_HOST_BYTES):
            raise DriverError(
                "The path of the home folder is too long for the sockets below it.",
                code=Reason.unsupported,
                detail=f"{self.path}/<host>/nbd: at most {SOCKET_PATH_BYTES} bytes",
            )

    def refusal(self, hints: Mapping[str, JSON], connector: Connector) -> str | None:
        if hints.get("kind") != "file":
            return "is for volumes that are files"
        if self.options.host and connector.host != self.options.host:
            return "is for servers on the machine that holds the volume"
        if not HOST_NAME.fullmatch(connector.host):
            return "needs a host whose name is letters, digits, dots, - and _"
        if not self._has_room_for(connector.host):
            return "is for hosts with a shorter name"
        return None

    @translated_os_errors()
    def publish(self, export: Export) -> dict[str, JSON]:
        require_taken(self, export)
        path = require_file(export)
        folder = self._folder(export.connector.host)
        with self._daemon(folder) as qmp:
            storage_daemon.add_export(qmp, export.export_id, path, read_only=export.read_only)
            self._let_group_connect(folder)
        return connection_info(
            "nbd", export, socket=str(folder.nbd), export=export.export_id, discard=True
        )

    @translated_os_errors()
    def revoke(self, export_id: str, *, host: str) -> None:
        require_uuid(export_id)
        if not HOST_NAME.fullmatch(host):
            return  # nothing was ever published to it
        folder = self._folder(host)
        with folder.locked(wait_s=WAIT_S), self._daemon_if_there(folder) as qmp:
            if qmp is not None:
                storage_daemon.remove_export(qmp, export_id)

    @translated_os_errors()
    def list_exports(self) -> list[Published]:
        published = []
        for folder in self._folders():
            with self._daemon_if_there(folder) as qmp:
                if qmp is not None:
                    published += [
                        Published(export_id, folder.host)
                        for export_id in storage_daemon.list_exports(qmp)
                    ]
        return published

    @translated_os_errors()
    def extend(self, export: Export) -> None:
        require_taken(self, export)
        path = require_file(export)
        with self._daemon(self._folder(export.connector.host)) as qmp:
            if storage_daemon.size_bytes(qmp, export.export_id) != path.stat().st_size:
                # QEMU does not let an exported node grow. A client that reconnects, as ours do,
                # waits for a moment and finds the new size. To open the file anew never cuts it,
                # which a resize to a size that is out of date would.
                storage_daemon.remove_export(qmp, export.export_id)
                storage_daemon.add_export(qmp, export.export_id, path, read_only=export.read_only)

    # The daemons

    @translated_os_errors()
    def tend(self, hosts: Collection[str]) -> None:
        wanted = [self._folder(host) for host in hosts if HOST_NAME.fullmatch(host)]
        for folder in wanted:
            if not folder.path.exists():
                with folder.made_and_locked(group_id=self._group_id(), wait_s=WAIT_S):
                    pass
        for folder in self._folders():
            if folder.host in hosts or not self._is_reaped(folder):
                self._keep(folder)

    def close(self) -> None:
        self._daemons.stop_all()

    def _keep(self, folder: HostFolder) -> None:
        # Names without a path: QEMU would take a comma in it for the end of the option.
        command = [
            "qemu-storage-daemon",
            *("--chardev", f"socket,id=qmp,path={folder.qmp.name},server=on,wait=off"),
            *("--monitor", "chardev=qmp"),
            *("--nbd-server", f"addr.type=unix,addr.path={folder.nbd.name},max-connections=0"),
        ]
        self._daemons.keep(folder.path, command, umask=0o177)

    def _is_reaped(self, folder: HostFolder) -> bool:
        """Remove the folder of a host that nobody wants and that has no exports."""
        try:
            with folder.locked(), self._daemon_if_there(folder) as qmp:
                if qmp is not None and storage_daemon.list_exports(qmp):
                    return False
                self._daemons.stop(folder.path)
                folder.remove()
                return True
        except DriverError:
            return False  # somebody works on it, or it does not answer: the next time, then

    @contextmanager
    def _daemon(self, folder: HostFolder) -> Iterator[Qmp]:
        """Talk to a host's daemon, which is wished for and waited for, and to nobody else."""
        with folder.made_and_locked(group_id=self._group_id(), wait_s=WAIT_S):
            deadline = time.monotonic() + WAIT_S
            while True:
                with self._daemon_if_there(folder) as qmp:
                    if qmp is not None:
                        yield qmp
                        return
                if time.monotonic() > deadline:
                    raise DriverError(
                        "The storage daemon of the host does not run.",
                        code=Reason.unavailable,
                        retryable=True,
                        detail=f"nothing listens on {folder.qmp}",
                    )
                time.sleep(RETRY_S)

    @contextmanager
    def _daemon_if_there(self, folder: HostFolder) -> Iterator[Qmp | None]:
        """Talk to a host's daemon; None when there is none, and so nothing that it exports."""
        qmp: Qmp | None = None
        with ExitStack() as stack:
            with (
                storage_daemon.translated_qmp_errors(),
                suppress(FileNotFoundError, ConnectionError),  # also one that dies just now
            ):
                qmp = stack.enter_context(Qmp(folder.qmp, timeout_s=WAIT_S))
            yield qmp

    # Names and rights

    def _folder(self, host: str) -> HostFolder:
        return HostFolder(self.path / host)

    def _folders(self) -> list[HostFolder]:
        return [HostFolder(path) for path in sorted(self.path.glob("*")) if path.is_dir()]

    def _has_room_for(self, host: str) -> bool:
        return len(os.fsencode(self._folder(host).nbd)) <= SOCKET_PATH_BYTES

    def _group_id(self) -> int:
        """The group that may connect, -1 for none."""
        if not self.options.group:
            return -1
        try:
            return grp.getgrnam(self.options.group).gr_gid
        except KeyError as error:
            raise DriverError(
                f"There is no group {self.options.group!r} on this machine.",
                code=Reason.unavailable,
            ) from error

    def _let_group_connect(self, folder: HostFolder) -> None:
        if self.options.group:
            os.chown(folder.nbd, -1, self._group_id())
            folder.nbd.chmod(0o660)
