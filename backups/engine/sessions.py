"""Sessions: who is writing to a repository just now, so that nothing they need is collected.

The service keeps them in the database with heartbeats; `MemorySessions` serves one process. The
collector compares their epochs: numbers that only grow, handed out by one clock per service.
"""

import threading
from typing import Protocol

from drivers.errors import DriverError, Reason


class Session(Protocol):
    """One backup at work. It was registered before anything in the repository was looked at."""

    @property
    def epoch(self) -> int:
        """From `next_epoch` of its sessions."""

    def require_live(self) -> None:
        """Raise a `DriverError` when the session has lapsed: it must not commit any more."""


class Sessions(Protocol):
    """All sessions of one repository."""

    def next_epoch(self) -> int:
        """A number greater than any given out before, at least 1.

        A session registers with its epoch in one step: once a greater epoch has been given out, a
        session with a smaller one is either visible or will never be.
        """

    def oldest_live_epoch(self) -> int | None:
        """The least epoch of a session that has neither ended nor lapsed."""


class MemorySession:
    def __init__(self, sessions: "MemorySessions", epoch: int) -> None:
        self._sessions = sessions
        self.epoch = epoch

    def require_live(self) -> None:
        if not self._sessions.is_live(self.epoch):
            raise DriverError(
                "The backup lost its hold on the repository.", code=Reason.busy, retryable=True
            )

    def end(self) -> None:
        self._sessions.end(self.epoch)


class MemorySessions:
    """The sessions of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_epoch = 0
        self._live: set[int] = set()

    def begin(self) -> MemorySession:
        with self._lock:
            self._last_epoch += 1
            self._live.add(self._last_epoch)
            return MemorySession(self, self._last_epoch)

    def end(self, epoch: int) -> None:
        with self._lock:
            self._live.discard(epoch)

    def is_live(self, epoch: int) -> bool:
        with self._lock:
            return epoch in self._live

    def next_epoch(self) -> int:
        with self._lock:
            self._last_epoch += 1
            return self._last_epoch

    def oldest_live_epoch(self) -> int | None:
        with self._lock:
            return min(self._live, default=None)
