"""A repository behind bounds: how many bytes move in a second, and how many calls are under way.

    bounds = Throttle(bytes_per_s=100 * MIB, calls=4)
    repository = ThrottledRepository(repository, bounds)

The threads of a process share a `Throttle`, and several repositories may: one for this host's
network, one for each store. The rate is an average: a single call moves its bytes as fast as it
can, and the next one waits until those would have been moved at the rate.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

from drivers.repository.base import Buffer, RepositoryDriver, RepositoryStats, StoredObject


class Throttle:
    """The bounds, and what is used of them just now. None is no bound."""

    def __init__(self, *, bytes_per_s: float | None = None, calls: int | None = None) -> None:
        self.bytes_per_s = bytes_per_s
        self._places: AbstractContextManager[object] = (
            threading.BoundedSemaphore(calls) if calls else nullcontext()
        )
        self._lock = threading.Lock()
        self._used_until = 0.0  # when the bytes counted so far would have been moved

    @contextmanager
    def call(self, size_bytes: int = 0) -> Iterator[None]:
        """Run the body when its turn comes: there is a place, and time for this many bytes."""
        with self._places:
            wait_s = self.count(size_bytes) - time.monotonic()
            if wait_s > 0:
                time.sleep(wait_s)
            yield

    def count(self, size_bytes: int) -> float:
        """Count bytes that are moved; return when, by `time.monotonic`, they begin to."""
        if not self.bytes_per_s:
            return 0.0
        with self._lock:
            begin = max(self._used_until, time.monotonic())
            self._used_until = begin + size_bytes / self.bytes_per_s
            return begin


class ThrottledRepository(RepositoryDriver):
    """Any repository, with all its promises, behind one bound or several."""

    def __init__(self, repository: RepositoryDriver, *throttles: Throttle) -> None:
        super().__init__(repository.options, name=repository.name, home=repository.home)
        self.repository = repository
        self.throttles = throttles

    def check(self) -> None:
        with self._call():
            self.repository.check()

    @property
    def in_process(self) -> bool:  # type: ignore[override]  # as it is, not as its class is
        return self.repository.in_process

    @property
    def creates_once(self) -> bool:
        return self.repository.creates_once

    def put(self, key: str, parts: Sequence[Buffer]) -> None:
        with self._call(total_bytes(parts)):
            self.repository.put(key, parts)

    def put_new(self, key: str, parts: Sequence[Buffer]) -> bool:
        with self._call(total_bytes(parts)):
            return self.repository.put_new(key, parts)

    def get(self, key: str) -> bytes:
        with self._call():
            content = self.repository.get(key)
        for throttle in self.throttles:
            throttle.count(len(content))  # which nobody knew before
        return content

    def get_range(self, key: str, offset: int, length: int) -> bytes | bytearray:
        with self._call(max(0, length)):
            return self.repository.get_range(key, offset, length)

    def list_objects(self, prefix: str) -> Iterator[StoredObject]:
        # Takes no place: it lasts for as long as the caller, who may be at other calls meanwhile.
        return self.repository.list_objects(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        with self._call():
            self.repository.delete(keys)

    def stats(self) -> RepositoryStats:
        return self.repository.stats()

    @contextmanager
    def _call(self, size_bytes: int = 0) -> Iterator[None]:
        with ExitStack() as stack:
            for throttle in self.throttles:
                stack.enter_context(throttle.call(size_bytes))
            yield


def total_bytes(parts: Sequence[Buffer]) -> int:
    return sum(map(len, parts))
