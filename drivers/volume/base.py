"""The interface of volume drivers. Every driver passes `tests.contracts.volume_driver`.

Three promises hold for every act, because a caller may be killed at any moment and ask again:

* **Idempotent.** What already exists under the given id was made by an earlier call and is done;
  what is already gone is deleted. Ids are UUIDs, dashed and in lower case, and are never reused.
* **Whole or not there.** A volume or snapshot appears under its id only when it is complete and
  durable. A call that fails or is killed leaves nothing that counts, costs space for good, or
  hinders the next call.
* **Failure is a `DriverError`** whose sentence a user may read. Nothing else escapes, except what
  the caller's own `on_progress` raises. "Raises `no_space`" below names the error's `code`; the
  general ones (`unavailable`, `busy`, `failed`, `invalid` for an id or pool) may come from any act.

A copy depends on nothing once it exists: deleting its source never harms it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self, TypeAlias

from drivers.errors import DriverError, Reason

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

# Called as `on_progress(done_bytes, total_bytes)` while a call copies data, and a last time just
# before the result gets its name. May raise (anything but an `OSError`): the call then stops and
# leaves nothing behind.
Progress: TypeAlias = Callable[[int, int], None]


def ignore_progress(done_bytes: int, total_bytes: int) -> None:
    """The `on_progress` of a caller who does not care."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a backend can do beyond what every driver must."""

    thin_provisioning: bool  # a volume takes the space of what was written, not of its size
    fast_copies: bool  # snapshots and clones share blocks: they take no time and no space
    snapshots_in_use: bool  # a volume that is being written to can be snapshotted and cloned
    changed_extents: bool  # what changed between two snapshots is known without reading them


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStats:
    """How a pool stands now: the only thing the scheduler knows about it."""

    name: str
    total_gib: float
    free_gib: float  # physically free: what could still be written
    thin: bool
    capabilities: Mapping[str, JSON] = field(default_factory=dict)  # matched by extra specs


@dataclass(frozen=True, slots=True, order=True)
class StoredVolume:
    """A volume that is on the backend, whatever the database says."""

    volume_id: str
    size_gib: int


@dataclass(frozen=True, slots=True, order=True)
class StoredSnapshot:
    """A snapshot that is on the backend, whatever the database says."""

    snapshot_id: str
    volume_id: str
    size_gib: int


@dataclass(frozen=True, slots=True, order=True)
class Extent:
    """A run of bytes: `length` of them from `offset` on."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        return self.offset + self.length


class VolumeReader(ABC):
    """The bytes of one volume or snapshot. Several threads may read at once; a context manager."""

    size_bytes: int

    @abstractmethod
    def read_into(self, buffer: bytearray | memoryview, offset: int) -> None:
        """Fill `buffer` with the bytes from `offset` on; all of it must lie inside the volume."""

    @abstractmethod
    def data_extents(self) -> Iterator[Extent]:
        """Yield, in order, the runs that may hold something; all between them reads as zeros."""

    @abstractmethod
    def close(self) -> None:
        """Release what the reader holds. Closing twice is fine."""

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on; all of them must lie inside the volume."""
        self.require_inside(offset, length)
        buffer = bytearray(length)
        self.read_into(buffer, offset)
        return bytes(buffer)

    def require_inside(self, offset: int, length: int) -> None:
        """Refuse as `invalid` a run that is not all inside the volume."""
        if offset < 0 or length < 0 or offset + length > self.size_bytes:
            raise DriverError(
                "The request reaches past the end of the volume.",
                code=Reason.invalid,
                detail=f"{length} bytes at {offset} of {self.size_bytes}",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class VolumeWriter(VolumeReader):
    """A reader that can also write. Written bytes are durable once `flush()` has returned."""

    @abstractmethod
    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at `offset`; all of it must lie inside the volume."""

    @abstractmethod
    def write_zeros(self, offset: int, length: int) -> None:
        """Make the run read as zeros, and free its space where the backend can."""

    @abstractmethod
    def flush(self) -> None:
        """Return when everything written so far survives a power cut."""


class VolumeDriver(ABC):
    """One configured backend. Several threads and processes may use the same backend at once."""

    # The dataclass of what the configuration may say; see `drivers.options`.
    Options: ClassVar[type[Any]]
    # Whether what it stores lives in the memory of the process that stored it. Such a backend is
    # served by the threads of one process; others by processes, which a crash takes one at a time.
    in_process: ClassVar[bool] = False
    # The exports that a backend offers unless its configuration names others.
    default_exports: ClassVar[tuple[str, ...]] = ()

    def __init__(self, options: Any, *, name: str, home: Path) -> None:
        """Remember, touch nothing. `name` is the backend's; relative paths start at `home`."""
        self.options = options
        self.name = name
        self.home = home

    # The backend

    @abstractmethod
    def check(self) -> None:
        """Prepare and probe the backend, and clear away what killed calls left behind.

        Called when a worker of this backend starts. Raises `DriverError` when it cannot be used.
        """

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What the backend can do; asking may probe it."""

    @abstractmethod
    def stats(self) -> list[PoolStats]:
        """Return how every pool stands now. Cheap: asked every few seconds."""

    @abstractmethod
    def list_volumes(self, *, pool: str) -> list[StoredVolume]:
        """Return every complete volume in the pool, so that what nobody owns can be found."""

    @abstractmethod
    def list_snapshots(self, *, pool: str) -> list[StoredSnapshot]:
        """Return every complete snapshot in the pool, so that what nobody owns can be found."""

    # Volumes

    @abstractmethod
    def create_volume(self, volume_id: str, size_gib: int, *, pool: str) -> None:
        """Make a volume that reads as zeros. One that exists is left as it is.

        Raises `no_space`.
        """

    @abstractmethod
    def delete_volume(self, volume_id: str, *, pool: str) -> None:
        """Remove a volume; one that is not there is deleted.

        Its snapshots are deleted before. Other calls for the same volume that still run must not
        bring it back.
        """

    @abstractmethod
    def extend_volume(self, volume_id: str, new_size_gib: int, *, pool: str) -> None:
        """Make a volume at least `new_size_gib` large; a larger one stays as large as it is.

        The new part reads as zeros. The volume may be in use. Raises `not_found`, `no_space`.
        """

    # Snapshots and copies

    @abstractmethod
    def create_snapshot(
        self,
        snapshot_id: str,
        volume_id: str,
        *,
        pool: str,
        in_use: bool,
        on_progress: Progress = ignore_progress,
    ) -> None:
        """Keep the volume as it is at one moment. A snapshot that exists is left as it is.

        `in_use` says that somebody may be writing. Raises `not_found`, `no_space`, and
        `unsupported` when the backend can only snapshot a volume at rest and this one is not.
        """

    @abstractmethod
    def delete_snapshot(self, snapshot_id: str, volume_id: str, *, pool: str) -> None:
        """Remove a snapshot; one that is not there is deleted."""

    @abstractmethod
    def create_volume_from_snapshot(
        self,
        volume_id: str,
        size_gib: int,
        snapshot_id: str,
        source_volume_id: str,
        *,
        pool: str,
        on_progress: Progress = ignore_progress,
    ) -> None:
        """Make a volume with a snapshot's content, then zeros up to `size_gib`.

        One that exists is left as it is. Raises `not_found`, `no_space`, and `invalid` when
        `size_gib` is less than the snapshot's size.
        """

    @abstractmethod
    def clone_volume(
        self,
        volume_id: str,
        size_gib: int,
        source_volume_id: str,
        *,
        pool: str,
        in_use: bool,
        on_progress: Progress = ignore_progress,
    ) -> None:
        """Make a volume with another's content as of one moment, then zeros up to `size_gib`.

        One that exists is left as it is. Raises as `create_volume_from_snapshot` does, and
        `unsupported` for a source in use that the backend can only copy at rest.
        """

    @abstractmethod
    def revert_to_snapshot(
        self,
        volume_id: str,
        snapshot_id: str,
        *,
        pool: str,
        on_progress: Progress = ignore_progress,
    ) -> None:
        """Give a volume at rest the content of its snapshot. Its size stays; the rest is zeros.

        A reader sees all of the old content or all of the new. Raises `not_found`, `no_space`.
        """

    # Content

    @abstractmethod
    def open_reader(
        self, volume_id: str, *, pool: str, snapshot_id: str | None = None
    ) -> VolumeReader:
        """Open a volume, or its snapshot, to be read. Raises `not_found`."""

    @abstractmethod
    def open_writer(self, volume_id: str, *, pool: str) -> VolumeWriter:
        """Open a volume to be written. Raises `not_found`."""

    @abstractmethod
    def changed_extents(
        self,
        volume_id: str,
        older_snapshot_id: str,
        newer_snapshot_id: str | None,
        *,
        pool: str,
    ) -> list[Extent] | None:
        """Return where the newer snapshot may differ from the older one, in order.

        `newer_snapshot_id=None` is the volume itself, at rest. May tell too much, never too
        little. What lies past the end of the older one counts as zeros there. None when the
        backend cannot tell, also because the older snapshot is gone: then read everything.
        Raises `not_found` when the newer one is missing.
        """

    @abstractmethod
    def export_hints(self, volume_id: str, *, pool: str) -> Mapping[str, JSON]:
        """Return what an export driver needs to reach the volume. Raises `not_found`.

        Always has `kind` (`file`, `rbd`, …), which the export driver must know. For the machinery
        only: it may hold paths.
        """

    # What drivers share

    def pool_capabilities(self) -> dict[str, JSON]:
        """The part of a pool's `capabilities` that follows from what the driver can do."""
        known = asdict(self.capabilities)
        thin = known.pop("thin_provisioning")
        return {
            # The names that extra specs have always used for these two.
            "thin_provisioning_support": thin,
            "thick_provisioning_support": not thin,
            **known,
        }
