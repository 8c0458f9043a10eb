"""A simulated backend: volumes in this process's memory, with faults on demand.

For tests, and for trying how automation copes with slow, full or failing storage. Threads share
it; another process has its own, and all is forgotten when the process ends.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

from drivers.errors import DriverError, Reason
from drivers.faults import FaultOptions, Faults, faulty, faulty_when_planned
from drivers.options import Option
from drivers.units import GIB
from drivers.volume.base import (
    JSON,
    Capabilities,
    Extent,
    PoolStats,
    Progress,
    StoredSnapshot,
    StoredVolume,
    VolumeDriver,
    VolumeReader,
    VolumeWriter,
    ignore_progress,
)
from drivers.volume.checks import (
    bytes_to_gib,
    missing,
    overtaken,
    require_pool,
    require_size,
    require_uuid,
)
from drivers.volume.memory_image import BLOCK_BYTES, Image, MemoryReader, MemoryWriter


class Key(NamedTuple):
    """Names a volume, or a snapshot of it."""

    volume_id: str
    snapshot_id: str | None


class MemoryDriver(VolumeDriver):
    """A simulated disk. Its only pool is called as the backend is."""

    in_process = True
    default_exports = ("memory",)

    @dataclass(frozen=True, kw_only=True)
    class Options(FaultOptions):
        capacity_gib: Annotated[float, Option("the size of the simulated disk", above=0)] = 1024.0
        thin: Annotated[
            bool, Option("a volume takes the space of its data; otherwise, of its size")
        ] = True
        full: Annotated[
            bool, Option("nothing more fits, although the pool claims to have room")
        ] = False

    options: Options

    def __init__(self, options: Options, *, name: str, home: Path) -> None:
        super().__init__(options, name=name, home=home)
        self.faults = Faults(options)
        self._lock = threading.RLock()
        self._images: dict[Key, Image] = {}
        # What is being copied. The newest call for a key has its draft here, so an older one that
        # is still at work finds that it was overtaken.
        self._drafts: dict[Key, Image] = {}

    # The backend

    @faulty_when_planned
    def check(self) -> None:
        pass  # memory needs no preparation, and a killed call left nothing in it

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            thin_provisioning=self.options.thin,
            fast_copies=True,
            snapshots_in_use=True,
            changed_extents=True,
        )

    @faulty_when_planned
    def stats(self) -> list[PoolStats]:
        with self._lock:
            free_gib = self._free_bytes() / GIB
        return [
            PoolStats(
                name=self.name,
                total_gib=self.options.capacity_gib,
                free_gib=free_gib,
                thin=self.options.thin,
                capabilities={"storage_protocol": "memory", **self.pool_capabilities()},
            )
        ]

    @faulty_when_planned
    def list_volumes(self, *, pool: str) -> list[StoredVolume]:
        require_pool(pool, self.name)
        with self._lock:
            return [
                StoredVolume(key.volume_id, bytes_to_gib(image.size_bytes))
                for key, image in self._images.items()
                if key.snapshot_id is None
            ]

    @faulty_when_planned
    def list_snapshots(self, *, pool: str) -> list[StoredSnapshot]:
        require_pool(pool, self.name)
        with self._lock:
            return [
                StoredSnapshot(key.snapshot_id, key.volume_id, bytes_to_gib(image.size_bytes))
                for key, image in self._images.items()
                if key.snapshot_id is not None
            ]

    # Volumes

    @faulty
    def create_volume(self, volume_id: str, size_gib: int, *, pool: str) -> None:
        key = self._key(volume_id, pool=pool)
        size_bytes = require_size(size_gib)
        with self._lock:
            if key not in self._images:
                self._require_space(size_bytes=size_bytes, data_bytes=0)
                self._images[key] = Image(size_bytes)

    @faulty
    def delete_volume(self, volume_id: str, *, pool: str) -> None:
        self._delete(self._key(volume_id, pool=pool))

    @faulty
    def extend_volume(self, volume_id: str, new_size_gib: int, *, pool: str) -> None:
        key = self._key(volume_id, pool=pool)
        new_size_bytes = require_size(new_size_gib)
        with self._lock:
            image = self._image(key)
            added_bytes = new_size_bytes - image.size_bytes
            if added_bytes > 0:
                self._require_space(size_bytes=added_bytes, data_bytes=0)
                image.size_bytes = new_size_bytes

    # Snapshots and copies

    @faulty
    def create_snapshot(
        self,
        snapshot_id: str,
        volume_id: str,
        *,
        pool: str,
        in_use: bool,
        on_progress: Progress = ignore_progress,
    ) -> None:
        target = self._key(volume_id, snapshot_id, pool=pool)
        if not self._is_made(target):
            self._copy(self._key(volume_id, pool=pool), target, on_progress)

    @faulty
    def delete_snapshot(self, snapshot_id: str, volume_id: str, *, pool: str) -> None:
        self._delete(self._key(volume_id, snapshot_id, pool=pool))

    @faulty
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
        target = self._key(volume_id, pool=pool)
        if not self._is_made(target):
            source = self._key(source_volume_id, snapshot_id, pool=pool)
            self._copy(source, target, on_progress, size_gib=size_gib)

    @faulty
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
        target = self._key(volume_id, pool=pool)
        if not self._is_made(target):
            source = self._key(source_volume_id, pool=pool)
            self._copy(source, target, on_progress, size_gib=size_gib)

    @faulty
    def revert_to_snapshot(
        self,
        volume_id: str,
        snapshot_id: str,
        *,
        pool: str,
        on_progress: Progress = ignore_progress,
    ) -> None:
        source = self._key(volume_id, snapshot_id, pool=pool)
        target = self._key(volume_id, pool=pool)
        with self._lock:
            size_gib = bytes_to_gib(self._image(target).size_bytes)
        self._copy(source, target, on_progress, size_gib=size_gib)

    # Content

    @faulty
    def open_reader(
        self, volume_id: str, *, pool: str, snapshot_id: str | None = None
    ) -> VolumeReader:
        key = self._key(volume_id, snapshot_id, pool=pool)
        with self._lock:
            return MemoryReader(self._image(key), self._lock)

    @faulty
    def open_writer(self, volume_id: str, *, pool: str) -> VolumeWriter:
        key = self._key(volume_id, pool=pool)
        with self._lock:
            return MemoryWriter(self._image(key), self._lock, self._require_data_space)

    @faulty
    def changed_extents(
        self,
        volume_id: str,
        older_snapshot_id: str,
        newer_snapshot_id: str | None,
        *,
        pool: str,
    ) -> list[Extent] | None:
        older_key = self._key(volume_id, older_snapshot_id, pool=pool)
        newer_key = self._key(volume_id, newer_snapshot_id, pool=pool)
        with self._lock:
            newer = self._image(newer_key)
            older = self._images.get(older_key)
            return None if older is None else older.changed_extents(newer)

    @faulty
    def export_hints(self, volume_id: str, *, pool: str) -> Mapping[str, JSON]:
        key = self._key(volume_id, pool=pool)
        with self._lock:
            self._image(key)
        return {"kind": "memory"}

    # What several acts share

    def _key(self, volume_id: str, snapshot_id: str | None = None, *, pool: str) -> Key:
        require_pool(pool, self.name)
        if snapshot_id is not None:
            require_uuid(snapshot_id)
        return Key(require_uuid(volume_id), snapshot_id)

    def _is_made(self, key: Key) -> bool:
        with self._lock:
            return key in self._images

    def _delete(self, key: Key) -> None:
        with self._lock:
            self._drafts.pop(key, None)
            self._images.pop(key, None)

    def _copy(
        self, source: Key, target: Key, on_progress: Progress, *, size_gib: int | None = None
    ) -> None:
        with self._lock:
            image = self._image(source)
            size_bytes = image.size_bytes
            if size_gib is not None:
                size_bytes = require_size(size_gib, at_least_bytes=size_bytes)
            self._require_space(size_bytes=size_bytes, data_bytes=image.data_bytes)
            draft = self._drafts[target] = image.copy(size_bytes)
        try:
            on_progress(size_bytes, size_bytes)
            with self._lock:
                if self._drafts.get(target) is not draft:
                    raise overtaken()
                self._images[target] = draft
        finally:
            with self._lock:
                if self._drafts.get(target) is draft:
                    del self._drafts[target]

    # What holds the lock already

    def _image(self, key: Key) -> Image:
        try:
            return self._images[key]
        except KeyError:
            raise missing("snapshot" if key.snapshot_id else "volume") from None

    def _free_bytes(self) -> int:
        images = [*self._images.values(), *self._drafts.values()]
        taken_bytes = sum(
            image.data_bytes if self.options.thin else image.size_bytes for image in images
        )
        return max(0, int(self.options.capacity_gib * GIB) - taken_bytes)

    def _require_space(self, *, size_bytes: int, data_bytes: int) -> None:
        """Raise `no_space` when an image of this size and with this much data does not fit."""
        needed_bytes = data_bytes if self.options.thin else size_bytes
        # A blank thin volume needs nothing yet, but a disk without room for a block is full.
        if self.options.full or self._free_bytes() < max(needed_bytes, BLOCK_BYTES):
            raise DriverError("The simulated backend has no space left.", code=Reason.no_space)

    def _require_data_space(self, data_bytes: int) -> None:
        """Raise `no_space` when a volume cannot take this much more data."""
        if self.options.thin and self._free_bytes() < data_bytes:
            raise DriverError("The simulated backend has no space left.", code=Reason.no_space)
