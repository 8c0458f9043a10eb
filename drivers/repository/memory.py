"""A simulated repository: objects in this process's memory, with faults on demand.

For tests, and for trying how backups cope with storage that is slow, full or failing. Threads
share it; another process has its own, and all is forgotten when the process ends.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple

from drivers.errors import DriverError, Reason
from drivers.faults import FaultOptions, Faults, faulty, faulty_when_planned
from drivers.options import Option
from drivers.repository.base import Buffer, RepositoryDriver, RepositoryStats, StoredObject
from drivers.repository.keys import (
    ends_early,
    missing_object,
    require_key,
    require_prefix,
    require_range,
)
from drivers.units import GIB


class Stored(NamedTuple):
    content: bytes
    stored_at: datetime


class MemoryRepository(RepositoryDriver):
    """A simulated repository of a given size."""

    in_process = True

    @dataclass(frozen=True, kw_only=True)
    class Options(FaultOptions):
        capacity_gib: Annotated[float, Option("how much it holds", above=0)] = 1024.0

    options: Options

    def __init__(self, options: Options, *, name: str, home: Path) -> None:
        super().__init__(options, name=name, home=home)
        self.faults = Faults(options)
        self._lock = threading.Lock()
        self._objects: dict[str, Stored] = {}
        self._taken_bytes = 0

    @faulty_when_planned
    def check(self) -> None:
        pass  # memory needs no preparation, and a killed call left nothing in it

    @property
    def creates_once(self) -> bool:
        return True

    @faulty
    def put(self, key: str, parts: Sequence[Buffer]) -> None:
        content = b"".join(parts)
        with self._lock:
            self._store(require_key(key), content)

    @faulty
    def put_new(self, key: str, parts: Sequence[Buffer]) -> bool:
        content = b"".join(parts)
        with self._lock:
            if require_key(key) in self._objects:
                return False
            self._store(key, content)
            return True

    @faulty
    def get(self, key: str) -> bytes:
        return self._content(key)

    @faulty
    def get_range(self, key: str, offset: int, length: int) -> bytes:
        require_range(offset, length)
        content = self._content(key)
        if offset + length > len(content):
            raise ends_early(key, offset, length)
        return content[offset : offset + length]

    @faulty
    def list_objects(self, prefix: str) -> Iterator[StoredObject]:
        require_prefix(prefix)
        with self._lock:
            found = [
                StoredObject(key, len(stored.content), stored.stored_at)
                for key, stored in self._objects.items()
                if key.startswith(prefix)
            ]
        return iter(sorted(found))

    @faulty
    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            with self._lock:
                stored = self._objects.pop(require_key(key), None)
                self._taken_bytes -= len(stored.content) if stored else 0

    @faulty_when_planned
    def stats(self) -> RepositoryStats:
        total_bytes = self._capacity_bytes()
        return RepositoryStats(free_bytes=total_bytes - self._taken_bytes, total_bytes=total_bytes)

    def _content(self, key: str) -> bytes:
        with self._lock:
            stored = self._objects.get(require_key(key))
        if stored is None:
            raise missing_object(key)
        return stored.content

    def _store(self, key: str, content: bytes) -> None:
        """Store an object while the lock is held."""
        old = self._objects.get(key)
        taken_bytes = self._taken_bytes + len(content) - (len(old.content) if old else 0)
        if taken_bytes > self._capacity_bytes():
            raise DriverError("The simulated repository has no space left.", code=Reason.no_space)
        self._objects[key] = Stored(content, datetime.now(UTC))
        self._taken_bytes = taken_bytes

    def _capacity_bytes(self) -> int:
        return int(self.options.capacity_gib * GIB)
