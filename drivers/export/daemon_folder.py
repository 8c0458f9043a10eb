"""The folder that a daemon lives in. That it is there is the wish for one.

Who changes what the daemon exports, or the folder itself, holds the folder's lock.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drivers.errors import DriverError, Reason

RETRY_S = 0.01

# What the kernel allows for the name of a unix socket.
SOCKET_PATH_BYTES = 107


def fits_socket(path: Path) -> bool:
    """Whether a unix socket can have this name."""
    return len(os.fsencode(path)) <= SOCKET_PATH_BYTES


class DaemonFolder:
    """One daemon's folder, whether it is there or not."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self) -> None:
        """Wish for the daemon."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextmanager
    def made_and_locked(self, *, wait_s: float) -> Iterator[None]:
        """Make the folder where it is missing, and hold its lock. Raises `busy`."""
        deadline = time.monotonic() + wait_s
        while True:
            self.make()
            with self._locked(deadline) as is_there:
                if is_there:
                    yield
                    return

    @contextmanager
    def locked(self, *, wait_s: float = 0) -> Iterator[bool]:
        """Hold the folder's lock and tell whether there is a folder at all. Raises `busy`."""
        with self._locked(time.monotonic() + wait_s) as is_there:
            yield is_there

    def remove(self) -> None:
        """Take the wish back; for who holds the lock."""
        shutil.rmtree(self.path)

    @contextmanager
    def _locked(self, deadline: float) -> Iterator[bool]:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            yield False
            return
        try:
            _lock(descriptor, deadline)
            yield self._is(descriptor)
        finally:
            os.close(descriptor)

    def _is(self, descriptor: int) -> bool:
        """Whether this is the folder still: who had the lock before us may have removed it."""
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False


def _lock(descriptor: int, deadline: float) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise DriverError(
                    "Other exports of the same daemon are being changed.",
                    code=Reason.busy,
                    retryable=True,
                ) from error
        time.sleep(RETRY_S)
