"""Volumes as raw sparse files in one folder.

    <path>/volumes/<volume id>                  the volume, byte for byte
    <path>/snapshots/<volume id>@<snapshot id>  a snapshot, byte for byte
    <path>/drafts/…                             what is being made; see `drafts`

No file depends on another, so any can be deleted in any order. Where files can share blocks (XFS,
btrfs), snapshots and clones take no time and no space. Elsewhere the data is copied, which needs
a volume that nobody writes to.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

from drivers.errors import DriverError, Reason
from drivers.options import Option
from drivers.units import GIB
from drivers.volume import reflink, sparse
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
    is_uuid,
    missing,
    require_pool,
    require_size,
    require_uuid,
)
from drivers.volume.drafts import Draft, Drafts
from drivers.volume.folder import scan_folder, sync_folder
from drivers.volume.folder_space import STAT_BLOCK_BYTES, FolderSpace
from drivers.volume.os_errors import translated_os_errors
from drivers.volume.probe import probe_file_system
from drivers.volume.raw_file import RawFileReader, RawFileWriter


class FileDriver(VolumeDriver):
    """One folder that holds volumes. Its only pool is called as the backend is."""

    default_exports = ("file",)

    @dataclass(frozen=True, kw_only=True)
    class Options:
        path: Annotated[Path, Option("the folder that holds the volumes")]
        require_mount: Annotated[
            bool, Option("the folder is a mounted disk: refuse to work while it is not")
        ] = False
        thin: Annotated[
            bool, Option("a volume takes the space of its data; otherwise, of its size")
        ] = True
        capacity_gib: Annotated[
            float | None, Option("treat the folder as a disk of this size", above=0)
        ] = None
        min_free_mib: Annotated[
            int, Option("refuse to create or grow when less would stay free", at_least=0)
        ] = 128

    options: Options

    def __init__(self, options: Options, *, name: str, home: Path) -> None:
        super().__init__(options, name=name, home=home)
        self.path = home / options.path
        self.volumes = self.path / "volumes"
        self.snapshots = self.path / "snapshots"
        self.drafts = Drafts(self.path / "drafts")
        self.space = FolderSpace(
            (self.volumes, self.snapshots, self.drafts.folder),
            capacity_gib=options.capacity_gib,
            min_free_mib=options.min_free_mib,
        )

    # The backend

    @translated_os_errors()
    def check(self) -> None:
        self._require_mount()
        for folder in (self.volumes, self.snapshots, self.drafts.folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            sync_folder(folder.parent)
        self.drafts.discard_abandoned()
        probe_file_system(self.drafts, reserves_space=not self.options.thin)

    @cached_property
    @translated_os_errors()
    def capabilities(self) -> Capabilities:
        self._require_mount()
        # A volume that is not thin has all its space to itself, so it shares nothing.
        can_share = self.options.thin and reflink.is_supported(self.drafts.folder)
        return Capabilities(
            thin_provisioning=self.options.thin,
            fast_copies=can_share,
            snapshots_in_use=can_share,
            changed_extents=can_share,
        )

    @translated_os_errors()
    def stats(self) -> list[PoolStats]:
        self._require_mount()
        return [
            PoolStats(
                name=self.name,
                total_gib=self.space.total_bytes() / GIB,
                free_gib=self.space.free_bytes() / GIB,
                thin=self.options.thin,
                capabilities={"storage_protocol": "file", **self.pool_capabilities()},
            )
        ]

    @translated_os_errors()
    def list_volumes(self, *, pool: str) -> list[StoredVolume]:
        self._require_pool(pool)
        return [
            StoredVolume(name, bytes_to_gib(status.st_size))
            for name, status in scan_folder(self.volumes)
            if is_uuid(name)
        ]

    @translated_os_errors()
    def list_snapshots(self, *, pool: str) -> list[StoredSnapshot]:
        self._require_pool(pool)
        found = []
        for name, status in scan_folder(self.snapshots):
            volume_id, _, snapshot_id = name.partition("@")
            if is_uuid(volume_id) and is_uuid(snapshot_id):
                size_gib = bytes_to_gib(status.st_size)
                found.append(StoredSnapshot(snapshot_id, volume_id, size_gib))
        return found

    # Volumes

    @translated_os_errors()
    def create_volume(self, volume_id: str, size_gib: int, *, pool: str) -> None:
        size_bytes = require_size(size_gib)
        target = self._volume_path(volume_id, pool)
        if self._is_made(target):
            return
        self.space.require(0 if self.options.thin else size_bytes)
        with self.drafts.begin(target.name) as draft:
            self._grow(draft.descriptor, size_bytes)
            draft.publish(target)

    @translated_os_errors()
    def delete_volume(self, volume_id: str, *, pool: str) -> None:
        self._delete(self._volume_path(volume_id, pool))

    @translated_os_errors()
    def extend_volume(self, volume_id: str, new_size_gib: int, *, pool: str) -> None:
        new_size_bytes = require_size(new_size_gib)
        with self._opened(self._volume_path(volume_id, pool), os.O_RDWR) as descriptor:
            # Two calls that both saw the old size must not set their sizes in any order: the
            # smaller one, set last, would cut the volume.
            self._lock(descriptor)
            size_bytes = os.fstat(descriptor).st_size
            if size_bytes < new_size_bytes:
                self.space.require(0 if self.options.thin else new_size_bytes - size_bytes)
                self._grow(descriptor, new_size_bytes)
            os.fsync(descriptor)

    # Snapshots and copies

    @translated_os_errors()
    def create_snapshot(
        self,
        snapshot_id: str,
        volume_id: str,
        *,
        pool: str,
        in_use: bool,
        on_progress: Progress = ignore_progress,
    ) -> None:
        target = self._snapshot_path(volume_id, snapshot_id, pool)
        if self._is_made(target):
            return
        self._require_rest(in_use)
        with self._opened(self._volume_path(volume_id, pool)) as source:
            size_bytes = os.fstat(source).st_size
            with self.drafts.begin(target.name) as draft:
                self._copy(source, draft, size_bytes, on_progress)
                draft.publish(target)

    @translated_os_errors()
    def delete_snapshot(self, snapshot_id: str, volume_id: str, *, pool: str) -> None:
        self._delete(self._snapshot_path(volume_id, snapshot_id, pool))

    @translated_os_errors()
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
        target = self._volume_path(volume_id, pool)
        if self._is_made(target):
            return
        source = self._snapshot_path(source_volume_id, snapshot_id, pool)
        self._make_volume_of(source, target, size_gib, on_progress)

    @translated_os_errors()
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
        target = self._volume_path(volume_id, pool)
        if self._is_made(target):
            return
        self._require_rest(in_use)
        source = self._volume_path(source_volume_id, pool)
        self._make_volume_of(source, target, size_gib, on_progress)

    @translated_os_errors()
    def revert_to_snapshot(
        self,
        volume_id: str,
        snapshot_id: str,
        *,
        pool: str,
        on_progress: Progress = ignore_progress,
    ) -> None:
        volume = self._volume_path(volume_id, pool)
        snapshot = self._snapshot_path(volume_id, snapshot_id, pool)
        with self._opened(volume) as current, self._opened(snapshot) as source:
            size_bytes = max(os.fstat(current).st_size, os.fstat(source).st_size)
            with self.drafts.begin(volume.name) as draft:
                self._copy(source, draft, size_bytes, on_progress)
                draft.replace(volume)

    # Content

    @translated_os_errors()
    def open_reader(
        self, volume_id: str, *, pool: str, snapshot_id: str | None = None
    ) -> VolumeReader:
        return RawFileReader(self._open(self._content_path(volume_id, snapshot_id, pool)))

    @translated_os_errors()
    def open_writer(self, volume_id: str, *, pool: str) -> VolumeWriter:
        descriptor = self._open(self._volume_path(volume_id, pool), os.O_RDWR)
        return RawFileWriter(descriptor, thin=self.options.thin)

    @translated_os_errors()
    def changed_extents(
        self,
        volume_id: str,
        older_snapshot_id: str,
        newer_snapshot_id: str | None,
        *,
        pool: str,
    ) -> list[Extent] | None:
        older_path = self._snapshot_path(volume_id, older_snapshot_id, pool)
        with self._opened(self._content_path(volume_id, newer_snapshot_id, pool)) as newer:
            if not self.capabilities.changed_extents or not older_path.exists():
                return None
            with self._opened(older_path) as older:
                return reflink.changed_extents(older, newer)

    @translated_os_errors()
    def export_hints(self, volume_id: str, *, pool: str) -> Mapping[str, JSON]:
        path = self._volume_path(volume_id, pool)
        with self._opened(path):
            return {"kind": "file", "path": str(path), "format": "raw"}

    # Paths

    def _volume_path(self, volume_id: str, pool: str) -> Path:
        self._require_pool(pool)
        return self.volumes / require_uuid(volume_id)

    def _snapshot_path(self, volume_id: str, snapshot_id: str, pool: str) -> Path:
        self._require_pool(pool)
        return self.snapshots / f"{require_uuid(volume_id)}@{require_uuid(snapshot_id)}"

    def _content_path(self, volume_id: str, snapshot_id: str | None, pool: str) -> Path:
        if snapshot_id is None:
            return self._volume_path(volume_id, pool)
        return self._snapshot_path(volume_id, snapshot_id, pool)

    def _open(self, path: Path, flags: int = os.O_RDONLY) -> int:
        """Open a volume or snapshot that must be there."""
        try:
            return os.open(path, flags | os.O_NOFOLLOW)
        except FileNotFoundError as error:
            # Only when the folder itself is there is the file known to be missing.
            os.stat(path.parent)
            raise missing("volume" if path.parent == self.volumes else "snapshot") from error

    @contextmanager
    def _opened(self, path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
        descriptor = self._open(path, flags)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    # Acts that several calls share

    def _is_made(self, target: Path) -> bool:
        """Tell whether an earlier call made this file, and finish what that call left undone."""
        if not target.exists():
            return False
        self.drafts.discard(target.name)
        sync_folder(target.parent)
        return True

    def _delete(self, target: Path) -> None:
        # Drafts first: a call that still makes this file cannot finish it any more.
        self.drafts.discard(target.name)
        target.unlink(missing_ok=True)
        sync_folder(target.parent)

    def _make_volume_of(
        self, source_path: Path, target: Path, size_gib: int, on_progress: Progress
    ) -> None:
        with self._opened(source_path) as source:
            size_bytes = require_size(size_gib, at_least_bytes=os.fstat(source).st_size)
            with self.drafts.begin(target.name) as draft:
                self._copy(source, draft, size_bytes, on_progress)
                draft.publish(target)

    def _copy(self, source: int, draft: Draft, size_bytes: int, on_progress: Progress) -> None:
        """Fill the draft with the source, then with zeros up to `size_bytes`."""
        if self.capabilities.fast_copies:
            self.space.require(0)
            reflink.share(source, draft.descriptor)
        else:
            data_bytes = os.fstat(source).st_blocks * STAT_BLOCK_BYTES
            self.space.require(data_bytes if self.options.thin else size_bytes)
            sparse.copy_data(source, draft.descriptor, on_progress)
        self._grow(draft.descriptor, size_bytes)
        on_progress(size_bytes, size_bytes)

    def _grow(self, descriptor: int, size_bytes: int) -> None:
        """Make a file larger. When there is no room it stays as it was."""
        old_size_bytes = os.fstat(descriptor).st_size
        if not self.options.thin:
            try:
                sparse.reserve(descriptor, 0, size_bytes)
            except OSError:
                os.ftruncate(descriptor, old_size_bytes)  # gives back what was reserved past it
                raise
        os.ftruncate(descriptor, size_bytes)

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DriverError(
                "Another request for the same volume is still at work.",
                code=Reason.busy,
                retryable=True,
                detail=str(error),
            ) from error

    # What must hold

    def _require_pool(self, pool: str) -> None:
        self._require_mount()
        require_pool(pool, self.name)

    def _require_mount(self) -> None:
        """Refuse while the disk is away: what looks deleted then is only out of sight."""
        if self.options.require_mount and not self.path.is_mount():
            raise DriverError(
                "The backend's disk is not mounted; an operator must look at it.",
                code=Reason.unavailable,
                detail=f"{self.path} is not a mount point",
            )

    def _require_rest(self, in_use: bool) -> None:
        if in_use and not self.capabilities.snapshots_in_use:
            raise DriverError(
                "This backend can copy a volume only while it is not attached: detach it first.",
                code=Reason.unsupported,
            )
