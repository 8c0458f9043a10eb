"""The lock on a home folder: one `up` at a time."""

import fcntl
import os
import time
from pathlib import Path

from storage_project.supervisor.errors import StartError

PATIENCE_S = 5.0


class HomeLock:
    """Held until the last process has ended that was forked while it was held.

    So after `kill -9` of an `up`, nobody starts another beside what is still dying.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        # What is executed, the broker, holds it too.
        os.set_inheritable(self._descriptor, True)

    def acquire(self) -> None:
        """Take the lock, or raise `StartError` that says who has it."""
        deadline = time.monotonic() + PATIENCE_S
        while not self._try():
            holder, _, url = self._path.read_text().strip().partition(" ")
            home = self._path.parent.parent
            if holder and Path(f"/proc/{holder}").exists():
                doing = f"serves {url}" if url else "is just starting"
                raise StartError(f"Khoi runs already in {home}: process {holder} {doing}.")
            if time.monotonic() > deadline:
                raise StartError(f"In {home}, processes of an earlier start do not end.")
            time.sleep(0.05)
        self._write(str(os.getpid()))

    def announce(self, url: str) -> None:
        """Write down where the holder can be reached."""
        self._write(f"{os.getpid()} {url}")

    def _try(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _write(self, text: str) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{text}\n".encode(), 0)
