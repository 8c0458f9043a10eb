"""What export drivers with daemons share: one process runs them, and any process talks to them.

    <home>/exports/<name>/<daemon>/    the daemon's folder; see `daemon_folder`

Who needs a daemon makes its folder and waits for a limited time. The process that calls `tend()`
starts one in each folder, and removes the folders of those that nobody needs any more.
"""

import time
from abc import abstractmethod
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from drivers.errors import DriverError, Reason
from drivers.export.base import ExportDriver
from drivers.export.daemon_folder import DaemonFolder
from drivers.export.daemons import Daemons
from drivers.volume.os_errors import translated_os_errors

# How long others may be at work on the same daemon, and it may take to start, and to answer.
WAIT_S = 10.0
RETRY_S = 0.01

ClientT = TypeVar("ClientT")


class SupervisedExport(ExportDriver, Generic[ClientT]):
    """`ClientT` is what talks to a daemon."""

    has_daemons = True

    def __init__(self, options: Any, *, name: str, home: Path) -> None:
        super().__init__(options, name=name, home=home)
        self.path = home / "exports" / name
        self._daemons = Daemons()

    @abstractmethod
    def folder_for(self, host: str) -> DaemonFolder | None:
        """Where the daemon for a host lives; None when nothing can be exported to such a host."""

    @abstractmethod
    def connected(self, folder: DaemonFolder) -> AbstractContextManager[ClientT | None]:
        """Talk to the daemon of a folder; None when there is none, and so nothing exported."""

    @abstractmethod
    def export_ids(self, client: ClientT) -> Collection[str]:
        """What a daemon exports."""

    @abstractmethod
    def keep(self, folder: DaemonFolder) -> bool:
        """Start the daemon of a folder unless it runs; True if it did."""

    @translated_os_errors()
    def tend(self, hosts: Collection[str]) -> bool:
        wanted = {folder.path for host in hosts if (folder := self.folder_for(host)) is not None}
        for path in wanted:
            DaemonFolder(path).make()  # without its lock, whose holder may be waiting for us
        has_started = False
        for folder in self.folders():
            if folder.path in wanted or not self._is_reaped(folder):
                has_started |= self.keep(folder)
        return has_started

    def close(self) -> None:
        self._daemons.stop_all()

    def folders(self) -> list[DaemonFolder]:
        return [DaemonFolder(path) for path in sorted(self.path.glob("*")) if path.is_dir()]

    @contextmanager
    def daemon(self, folder: DaemonFolder) -> Iterator[ClientT]:
        """Be the only one to talk to a daemon, which is wished for and waited for."""
        with folder.made_and_locked(wait_s=WAIT_S):
            deadline = time.monotonic() + WAIT_S
            while True:
                with self.connected(folder) as client:
                    if client is not None:
                        yield client
                        return
                if time.monotonic() > deadline:
                    raise DriverError(
                        "The daemon of the export does not run.",
                        code=Reason.unavailable,
                        retryable=True,
                        detail=f"no daemon answers in {folder.path}",
                    )
                time.sleep(RETRY_S)

    @contextmanager
    def daemon_if_there(self, host: str) -> Iterator[ClientT | None]:
        """Be the only one to talk to a host's daemon; None when there is none."""
        folder = self.folder_for(host)
        if folder is None:
            yield None
            return
        with folder.locked(wait_s=WAIT_S), self.connected(folder) as client:
            yield client

    def _is_reaped(self, folder: DaemonFolder) -> bool:
        """Remove the folder of a daemon that nobody wants and that exports nothing."""
        try:
            with folder.locked(), self.connected(folder) as client:
                if client is not None and self.export_ids(client):
                    return False
                self._daemons.stop(folder.path)
                folder.remove()
                return True
        except DriverError:
            return False  # somebody works on it, or it does not answer: the next time, then
