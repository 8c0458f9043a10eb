"""Restore: a backup's blocks into a volume, each proved by its digest before it is written.

Frames that lie near each other in a pack come with one read; several reads are under way at once.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from backups.engine.format import BLOCK_BYTES, NULL_DIGEST, PAGE_BLOCKS, corrupt, key_of_pack
from backups.engine.frames import FrameReader, Location
from backups.engine.manifest import Manifest, digests_in
from backups.engine.repository import Repository, unknown_block
from backups.engine.runs import Run, block_count, extents_of_runs, joined
from backups.engine.workers import work_through
from drivers.errors import DriverError, Reason
from drivers.repository.base import Buffer
from drivers.units import KIB, MIB
from drivers.volume.base import Extent, VolumeWriter

READ_BYTES = 4 * MIB  # the most that one read brings
GAP_BYTES = 128 * KIB  # what is read in vain rather than asked for in two reads
THREADS = 4
ZERO_RUN_BYTES = 4 * KIB  # what file systems keep or leave out
ZERO_RUN = bytes(ZERO_RUN_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreProgress:
    """How far a restore is. Holes count as done when they are passed."""

    done_bytes: int
    total_bytes: int
    written_bytes: int


OnProgress: TypeAlias = Callable[[RestoreProgress], None]


def ignore_progress(progress: RestoreProgress) -> None:
    """The `on_progress` of a caller who does not care."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A frame and the blocks that it is written to."""

    digest: bytes
    place: Location
    blocks: list[int]


def restore(
    repository: Repository,
    manifest: Manifest,
    writer: VolumeWriter,
    *,
    target_is_blank: bool = False,
    skip_damaged: bool = False,
    pages: range | None = None,
    on_progress: OnProgress = ignore_progress,
    threads: int = THREADS,
) -> list[Extent]:
    """Make the volume hold exactly what was backed up, then zeros up to its size, durably.

    `target_is_blank` says that the volume reads as zeros now: holes then stay holes without being
    written. Returns the runs whose blocks are damaged in the repository and read as zeros now:
    always none without `skip_damaged`, which raises `corrupt` at the first. Raises `invalid` when
    the volume is too small. With `pages` only these pages of the map are brought back, and nothing
    past its end is written.
    """
    if writer.size_bytes < manifest.size_bytes:
        raise DriverError("The volume is smaller than the backup.", code=Reason.invalid)
    repository.index.refresh()
    work = _Restore(repository, manifest, writer, skip_damaged, target_is_blank, pages, on_progress)
    readers = [FrameReader() for _ in range(threads)]
    work_through(work.reads(), work.copy, readers, work.tell_progress)
    work.finish()
    writer.flush()
    work.tell_progress()
    return work.bad_extents()


class _Restore:
    """One call of `restore`."""

    def __init__(
        self,
        repository: Repository,
        manifest: Manifest,
        writer: VolumeWriter,
        skip_damaged: bool,
        target_is_blank: bool,
        pages: range | None,
        on_progress: OnProgress,
    ) -> None:
        self._repository = repository
        self._manifest = manifest
        self._writer = writer
        self._skip_damaged = skip_damaged
        self._target_is_blank = target_is_blank
        self._on_progress = on_progress
        self._blocks = block_count(manifest.size_bytes)
        self._frames = FrameReader()
        self._lock = threading.Lock()
        self._bad: list[Run] = []
        self._pages = range(len(manifest.pages)) if pages is None else pages
        self._is_whole = pages is None
        # Holes, and what was done before.
        self._passed_blocks = min(self._pages.start * PAGE_BLOCKS, self._blocks)
        self._written_blocks = 0

    # What to read

    def reads(self) -> Iterator[list[_Wanted]]:
        """What one read brings each, page after page; holes are written on the way."""
        for number in self._pages:
            page_digest = self._manifest.pages[number]
            first = number * PAGE_BLOCKS
            end = min(first + PAGE_BLOCKS, self._blocks)
            if page_digest == NULL_DIGEST:
                self._write_hole(first, end)
                continue
            try:
                page = self._repository.read_page(
                    page_digest, self._manifest.project_id, self._frames
                )
            except DriverError as error:
                self._note_damage([(first, end)], error)
                continue
            yield from _coalesced(self._wanted(page, first, end))

    def _wanted(self, page: bytes, first: int, end: int) -> list[_Wanted]:
        blocks_of: defaultdict[bytes, list[int]] = defaultdict(list)
        for block, digest in zip(range(first, end), digests_in(page), strict=False):
            blocks_of[digest].append(block)
        for start, stop in joined((b, b + 1) for b in blocks_of.pop(NULL_DIGEST, [])):
            self._write_hole(start, stop)
        wanted = []
        for digest, blocks in blocks_of.items():
            place = self._repository.index.find(digest)
            if place is None:
                error = unknown_block(digest)
                self._note_damage([(block, block + 1) for block in blocks], error)
            else:
                wanted.append(_Wanted(digest, place, blocks))
        return wanted

    # Copying

    def copy(self, frames: FrameReader, wanted: list[_Wanted]) -> None:
        """Read frames that lie near each other, and write their blocks."""
        pack_id, offset = wanted[0].place.pack_id, wanted[0].place.offset
        length = wanted[-1].place.end - offset
        keys = self._repository.keys
        cipher = keys.pack_cipher(pack_id) if keys.encrypts else None
        digest_key = keys.digest_key(self._manifest.project_id)
        try:
            stored = memoryview(
                self._repository.driver.get_range(key_of_pack(pack_id), offset, length)
            )
        except DriverError as error:
            if error.code not in (Reason.corrupt, Reason.not_found):
                raise
            self._copy_one_by_one(frames, wanted)
            return
        for each in wanted:
            start = each.place.offset - offset
            part = stored[start : start + each.place.length]
            try:
                plain = frames.read(part, each.place, each.digest, cipher, digest_key)
            except DriverError:
                self._copy_one_by_one(frames, [each])
            else:
                self._write(each.blocks, plain)

    def _copy_one_by_one(self, frames: FrameReader, wanted: list[_Wanted]) -> None:
        """Copy what could not be read as usual: there may be another copy of some of it."""
        for each in wanted:
            try:
                plain = self._repository.read_plain(each.digest, self._manifest.project_id, frames)
            except DriverError as error:
                self._note_damage([(block, block + 1) for block in each.blocks], error)
            else:
                self._write(each.blocks, plain)

    def _write(self, blocks: list[int], plain: Buffer) -> None:
        if len(plain) != BLOCK_BYTES:
            raise corrupt("A block of the backup has another size.", str(len(plain)))
        runs = data_runs(plain) if self._target_is_blank else [(0, BLOCK_BYTES)]
        for block in blocks:
            offset = block * BLOCK_BYTES
            length = min(BLOCK_BYTES, self._manifest.size_bytes - offset)
            for start, end in runs:
                if start < length:
                    self._writer.write(offset + start, memoryview(plain)[start : min(end, length)])
        with self._lock:
            self._written_blocks += len(blocks)

    def _write_hole(self, first: int, end: int) -> None:
        if not self._target_is_blank:
            self._write_zeros(first, end)
        with self._lock:
            self._passed_blocks += end - first

    def _write_zeros(self, first: int, end: int) -> None:
        for extent in extents_of_runs([(first, end)], self._manifest.size_bytes):
            self._writer.write_zeros(extent.offset, extent.length)

    def finish(self) -> None:
        """What lies past the end of the backup is zeros."""
        past_end = self._writer.size_bytes - self._manifest.size_bytes
        if past_end and self._is_whole and not self._target_is_blank:
            self._writer.write_zeros(self._manifest.size_bytes, past_end)

    # Damage and progress

    def _note_damage(self, runs: list[Run], error: DriverError) -> None:
        """Remember blocks that are lost and zero them; or raise."""
        if not self._skip_damaged or error.code != Reason.corrupt:
            raise error
        with self._lock:
            self._bad += runs
        for first, end in runs:
            self._write_hole(first, end)

    def bad_extents(self) -> list[Extent]:
        return extents_of_runs(joined(sorted(self._bad)), self._manifest.size_bytes)

    def tell_progress(self) -> None:
        done = (self._passed_blocks + self._written_blocks) * BLOCK_BYTES
        self._on_progress(
            RestoreProgress(
                done_bytes=min(done, self._manifest.size_bytes),
                total_bytes=self._manifest.size_bytes,
                written_bytes=min(self._written_blocks * BLOCK_BYTES, self._manifest.size_bytes),
            )
        )


def data_runs(block: Buffer) -> list[Run]:
    """The runs of bytes of a block that are not whole pages of zeros: a volume that takes room only
    where it has data takes no more of it than it did."""
    # Comparing through a memoryview would take 40 times as long.
    plain = block if isinstance(block, bytes) else bytes(block)
    starts = range(0, len(plain), ZERO_RUN_BYTES)
    data = ((at, at + ZERO_RUN_BYTES) for at in starts if not plain.startswith(ZERO_RUN, at))
    return list(joined(data))


def _coalesced(wanted: list[_Wanted]) -> Iterator[list[_Wanted]]:
    """Frames in the order of their packs, those near each other together."""
    near: list[_Wanted] = []
    for each in sorted(wanted, key=lambda one: (one.place.pack_id, one.place.offset)):
        if near and not (
            each.place.pack_id == near[0].place.pack_id
            and each.place.offset - near[-1].place.end <= GAP_BYTES
            and each.place.end - near[0].place.offset <= READ_BYTES
        ):
            yield near
            near = []
        near.append(each)
    if near:
        yield near
