"""A simulated backend: volumes in this process's memory, with faults on demand.

For tests, and for trying how automation copes with slow, full or failing storage. Threads share
it; another process has its own, and all is forgotten when the process ends.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

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
    bytes_to_gib,
    ignore_progress,
    require_size,
    require_uuid,
)
from drivers.volume.memory_image import BLOCK_BYTES, Image, MemoryReader, MemoryWriter


class MemoryDriver(VolumeDriver):
    """A simulated disk. Its only pool is called as the backend is."""

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
        self._volumes: dict[str, Image] = {}
        self._snapshots: dict[tuple[str, str], Image] = {}  # by volume id and snapshot id

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
        return [
            PoolStats(
                name=self.name,
                total_gib=self.options.capacity_gib,
                free_gib=self._free_bytes() / GIB,
                thin=self.options.thin,
                capabilities={"storage_protocol": "memory", **self.pool_capabilities()},
            )
        ]

    @faulty_when_planned
    def list_volumes(self, *, pool: str) -> list[StoredVolume]:
        self._require_pool(pool)
        with self._lock:
            return [
                StoredVolume(volume_id, bytes_to_gib(image.size_bytes))
                for volume_id, image in self._volumes.items()
            ]

    @faulty_when_planned
    def list_snapshots(self, *, pool: str) -> list[StoredSnapshot]:
        self._require_pool(pool)
        with self._lock:
            return [
                StoredSnapshot(snapshot_id, volume_id, bytes_to_gib(image.size_bytes))
                for (volume_id, snapshot_id), image in self._snapshots.items()
            ]

    # Volumes

    @faulty
    def create_volume(self, volume_id: str, size_gib: int, *, pool: str) -> None:
        self._require_pool(pool)
        require_uuid(volume_id)
        size_bytes = require_size(size_gib)
        with self._lock:
            if volume_id not in self._volumes:
                self._require_space(size_bytes=size_bytes, data_bytes=0)
                self._volumes[volume_id] = Image(size_bytes)

    @faulty
    def delete_volume(self, volume_id: str, *, pool: str) -> None:
        self._require_pool(pool)
        with self._lock:
            self._volumes.pop(require_uuid(volume_id), None)

    @faulty
    def extend_volume(self, volume_id: str, new_size_gib: int, *, pool: str) -> None:
        self._require_pool(pool)
        new_size_bytes = require_size(new_size_gib)
        with self._lock:
            image = self._volume(volume_id)
            if image.size_bytes < new_size_bytes:
                added_bytes = new_size_bytes - image.size_bytes
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
        self._require_pool(pool)
        key = (require_uuid(volume_id), require_uuid(snapshot_id))
        with self._lock:
            if key not in self._snapshots:
                source = self._volume(volume_id)
                self._snapshots[key] = self._copy(source, source.size_bytes, on_progress)

    @faulty
    def delete_snapshot(self, snapshot_id: str, volume_id: str, *, pool: str) -> None:
        self._require_pool(pool)
        with self._lock:
            self._snapshots.pop((require_uuid(volume_id), require_uuid(snapshot_id)), None)

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
        self._require_pool(pool)
        require_uuid(volume_id)
        with self._lock:
            if volume_id not in self._volumes:
                source = self._snapshot(source_volume_id, snapshot_id)
                size_bytes = require_size(size_gib, at_least_bytes=source.size_bytes)
                self._volumes[volume_id] = self._copy(source, size_bytes, on_progress)

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
        self._require_pool(pool)
        require_uuid(volume_id)
        with self._lock:
            if volume_id not in self._volumes:
                source = self._volume(source_volume_id)
                size_bytes = require_size(size_gib, at_least_bytes=source.size_bytes)
                self._volumes[volume_id] = self._copy(source, size_bytes, on_progress)

    @faulty
    def revert_to_snapshot(
        self,
        volume_id: str,
        snapshot_id: str,
        *,
        pool: str,
        on_progress: Progress = ignore_progress,
    ) -> None:
        self._require_pool(pool)
        with self._lock:
            snapshot = self._snapshot(volume_id, snapshot_id)
            volume = self._volume(volume_id)
            size_bytes = max(volume.size_bytes, snapshot.size_bytes)
            self._volumes[volume_id] = self._copy(snapshot, size_bytes, on_progress)

    # Content

    @faulty
    def open_reader(
        self, volume_id: str, *, pool: str, snapshot_id: str | None = None
    ) -> VolumeReader:
        self._require_pool(pool)
        with self._lock:
            return MemoryReader(self._content(volume_id, snapshot_id), self._lock)

    @faulty
    def open_writer(self, volume_id: str, *, pool: str) -> VolumeWriter:
        self._require_pool(pool)
        with self._lock:
            return MemoryWriter(self._volume(volume_id), self._lock, self._require_data_space)

    @faulty
    def changed_extents(
        self,
        volume_id: str,
        older_snapshot_id: str,
        newer_snapshot_id: str | None,
        *,
        pool: str,
    ) -> list[Extent] | None:
        self._require_pool(pool)
        older_key = (require_uuid(volume_id), require_uuid(older_snapshot_id))
        with self._lock:
            newer = self._content(volume_id, newer_snapshot_id)
            older = self._snapshots.get(older_key)
            return None if older is None else older.changed_extents(newer)

    @faulty
    def export_hints(self, volume_id: str, *, pool: str) -> Mapping[str, JSON]:
        self._require_pool(pool)
        with self._lock:
            self._volume(volume_id)
        return {"kind": "memory"}

    # What several acts share; the lock is held

    def _volume(self, volume_id: str) -> Image:
        image = self._volumes.get(require_uuid(volume_id))
        if image is None:
            raise DriverError("The volume is not on its backend.", code=Reason.not_found)
        return image

    def _snapshot(self, volume_id: str, snapshot_id: str) -> Image:
        image = self._snapshots.get((require_uuid(volume_id), require_uuid(snapshot_id)))
        if image is None:
            raise DriverError("The snapshot is not on its backend.", code=Reason.not_found)
        return image

    def _content(self, volume_id: str, snapshot_id: str | None) -> Image:
        return (
            self._volume(volume_id)
            if snapshot_id is None
            else self._snapshot(volume_id, snapshot_id)
        )

    def _copy(self, source: Image, size_bytes: int, on_progress: Progress) -> Image:
        self._require_space(size_bytes=size_bytes, data_bytes=source.data_bytes)
        on_progress(size_bytes, size_bytes)
        return source.copy(size_bytes)

    def _free_bytes(self) -> int:
        with self._lock:
            images = [*self._volumes.values(), *self._snapshots.values()]
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

    def _require_pool(self, pool: str) -> None:
        if pool != self.name:
            raise DriverError(
                "The backend has no such pool.", code=Reason.invalid, detail=f"pool {pool!r}"
            )
