"""The interface of repository drivers. Every driver passes `tests.contracts.repository_driver`.

A repository holds objects: named bytes that are written once and never changed, only deleted. What
they mean is the engine's (`backups.engine`). Keys are `/`-separated words of letters, digits, `-`,
`_` and `.`, at most 200 characters, no word beginning with a dot. Where there is an object `a/b`
there is none called `a`.

* **Whole or not there.** An object is there under its key with all of its bytes, or not at all, and
  once `put` has returned it survives a power cut.
* **Failure is a `DriverError`** whose sentence a user may read: `no_space`, `not_found`,
  `unavailable` (retryable, where waiting may help), `corrupt`, `failed`.

Several threads, processes and machines may use one repository at once.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True, order=True)
class StoredObject:
    """An object that is there."""

    key: str
    size_bytes: int
    stored_at: datetime  # by the repository's own clock


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryStats:
    """How much room there is; None where the repository cannot tell."""

    free_bytes: int | None
    total_bytes: int | None


class RepositoryDriver(ABC):
    """One configured repository."""

    Options: ClassVar[type[Any]]  # the dataclass of `[repositories.<name>]`; see `drivers.options`
    # Whether its objects live in the memory of the process that stored them.
    in_process: ClassVar[bool] = False

    def __init__(self, options: Any, *, name: str, home: Path) -> None:
        """Remember, touch nothing. Relative paths start at `home`."""
        self.options = options
        self.name = name
        self.home = home

    @abstractmethod
    def check(self) -> None:
        """Prepare and probe it: what is written is read, listed and deleted again.

        Called when a worker that uses it starts. Raises `DriverError` when it cannot be used.
        """

    @property
    @abstractmethod
    def creates_once(self) -> bool:
        """Whether of two `put_new` of one key at once only one succeeds; probed by `check`."""

    @abstractmethod
    def put(self, key: str, parts: Sequence[Buffer]) -> None:
        """Store the parts, one after the other, as an object. One that is there is replaced by the
        same bytes: the caller gives each content a key of its own."""

    @abstractmethod
    def put_new(self, key: str, parts: Sequence[Buffer]) -> bool:
        """The same unless there is such an object already: then False, and nothing is changed."""

    @abstractmethod
    def get(self, key: str) -> bytes:
        """All of an object. Raises `not_found`."""

    @abstractmethod
    def get_range(self, key: str, offset: int, length: int) -> bytes | bytearray:
        """`length` bytes of an object from `offset` on. Raises `not_found`; `corrupt` when the
        object ends before."""

    @abstractmethod
    def list_objects(self, prefix: str) -> Iterator[StoredObject]:
        """The objects whose key begins with `prefix`, ordered by key. A prefix ends with `/` or is
        empty. What is stored or deleted meanwhile may or may not be among them."""

    @abstractmethod
    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; one that is not there is deleted."""

    @abstractmethod
    def stats(self) -> RepositoryStats:
        """How much room there is."""
