"""Backup: a volume's blocks into the repository, and a manifest that makes them a backup.

Every backup has a full map. One that had a parent and knew what changed since only read less.

    spans of 1 MiB -> blocks -> zero? the parent's at this place? known? else a frame in a pack
    the digests of 4096 blocks -> a page, stored like a block
    packs durable -> index durable -> manifest: now it is a backup
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from time import monotonic
from typing import TypeAlias

from backups.engine.format import (
    BLOCK_BYTES,
    DIGEST_BYTES,
    NULL_DIGEST,
    PAGE_BLOCKS,
    PAGE_BYTES,
)
from backups.engine.frames import FrameReader, digest_of
from backups.engine.manifest import (
    BackupRef,
    Manifest,
    encode_manifest,
    page_count,
)
from backups.engine.parent import differs_in_sample, find_parent, missing_blocks
from backups.engine.repository import Repository
from backups.engine.runs import (
    Run,
    block_count,
    cut,
    intersection,
    joined,
    runs_of_extents,
    shared_out,
)
from backups.engine.sessions import Session
from backups.engine.spans import SPAN_BLOCKS, Span
from backups.engine.storing import Lane, Outcome, Storing
from backups.engine.tombstones import condemned_packs
from backups.engine.workers import TICK_S, work_through
from drivers.errors import DriverError, Reason
from drivers.volume.base import JSON, Extent, VolumeReader

ZERO_PAGE = bytes(PAGE_BYTES)
THREADS = min(4, (os.cpu_count() or 1) + 1)  # one more: some wait for the disk
MANY_PROMISES = 4096
PROMISE_WAIT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupProgress:
    """How far a backup is. What need not be read counts as done."""

    done_bytes: int
    total_bytes: int
    read_bytes: int
    new_bytes: int
    stored_bytes: int


OnProgress: TypeAlias = Callable[[BackupProgress], None]


def ignore_progress(progress: BackupProgress) -> None:
    """The `on_progress` of a caller who does not care."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupResult:
    """A backup that is complete and durable."""

    manifest: Manifest
    was_there: bool = False  # an earlier call had completed it
    is_incremental: bool = False  # only what changed since the parent was read
    is_distrusted: bool = False  # "changed" was found to be wrong: everything was read instead
    packs: int = 0


def backup(
    repository: Repository,
    reader: VolumeReader,
    *,
    backup_id: str,
    volume_id: str,
    project_id: str,
    session: Session,
    parent: BackupRef | None = None,
    changed: list[Extent] | None = None,
    metadata: Mapping[str, JSON] | None = None,
    on_progress: OnProgress = ignore_progress,
    threads: int = THREADS,
) -> BackupResult:
    """Back up what the reader shows, which must not change meanwhile.

    `parent` is an earlier backup of the same volume; one that is gone, or of another project,
    counts as none. `changed` says where the volume may differ from it, None that nobody knows. A
    sample of what should not have changed is compared; a difference makes this a full read.

    A block that is the parent's at the same place counts as there; without a parent each is looked
    for, so that what the repository has lost is stored again.

    A backup that is there already is left as it is. `on_progress` is called in the caller's thread
    for every MiB and at least twice a second; what it raises ends the backup. Whatever ends it
    leaves only packs that `collect` frees. Raises `DriverError`.
    """
    ref = BackupRef(volume_id, backup_id)
    condemned = condemned_packs(repository.driver)  # before the index: see `collect`
    repository.index.refresh()
    storing = Storing(repository, project_id, condemned)
    try:
        if there := _completed_before(repository, storing, ref):
            return BackupResult(manifest=there, was_there=True)
        work = _Backup(repository, reader, storing, ref, project_id, on_progress)
        work.use_parent(parent, changed)
        work.read_volume(threads)
        manifest = work.manifest(metadata or {})
        session.require_live()
        if not repository.driver.put_new(ref.key, [encode_manifest(manifest, repository.keys)]):
            # The same backup was asked for twice, and the other call was quicker.
            return BackupResult(manifest=repository.read_manifest(ref), was_there=True)
        _require_live_still(repository, session, ref)
        return BackupResult(
            manifest=manifest,
            is_incremental=work.changed is not None,
            is_distrusted=work.is_distrusted,
            packs=storing.packs,
        )
    finally:
        storing.abandon()


def _require_live_still(repository: Repository, session: Session, ref: BackupRef) -> None:
    """A session that lapsed just before the commit may have lost packs to the collector."""
    try:
        session.require_live()
    except DriverError:
        repository.delete_backup(ref)
        raise


def _completed_before(repository: Repository, storing: Storing, ref: BackupRef) -> Manifest | None:
    """The manifest, when an earlier call has put it; all it needs is looked for once more."""
    if not repository.has_backup(ref):
        return None
    manifest = repository.read_manifest(ref)
    if next(missing_blocks(repository, storing, manifest), None) is None:
        return manifest
    repository.delete_backup(ref)
    return None


@dataclass(slots=True)
class _Page:
    """A page of the map that is being made."""

    number: int
    digests: bytearray
    in_parent: bytes | None
    shares_left: int


class _Worker:
    """What one thread reads into and stores with."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.span = Span()


class _Backup:
    """One call of `backup`."""

    def __init__(
        self,
        repository: Repository,
        reader: VolumeReader,
        storing: Storing,
        ref: BackupRef,
        project_id: str,
        on_progress: OnProgress,
    ) -> None:
        self.repository = repository
        self.reader = reader
        self.storing = storing
        self.ref = ref
        self.project_id = project_id
        self.on_progress = on_progress
        self.parent: Manifest | None = None
        self.changed: list[Run] | None = None
        self.is_distrusted = False
        self._blocks = block_count(reader.size_bytes)
        self._pages = [NULL_DIGEST] * page_count(reader.size_bytes)
        self._lock = threading.Lock()
        self._page_lock = threading.Lock()
        self._page_lane = storing.lane()
        self._lanes = [self._page_lane]
        self._promised: dict[bytes, int] = {}  # digest -> a block that has it
        self._read_blocks = 0
        self._planned_blocks = 0
        self._skipped_blocks = 0
        self._frames = FrameReader()

    # What to read

    def use_parent(self, ref: BackupRef | None, changed: list[Extent] | None) -> None:
        """Take from the parent what can be relied upon."""
        parent = find_parent(self.repository, ref, self.project_id)
        if parent is None:
            return
        self.parent = parent
        if changed is None or parent.size_bytes > self.reader.size_bytes:
            return
        runs = list(runs_of_extents(changed, self.reader.size_bytes))
        try:
            self.is_distrusted = differs_in_sample(self.repository, parent, self.reader, runs)
        except DriverError as error:
            if error.code != Reason.corrupt:
                raise
            self.is_distrusted = True  # the parent's map is damaged
        if self.is_distrusted:
            return
        if self.storing.condemned:
            # The parent may rely on packs that are to go, when others that did were deleted.
            missing = missing_blocks(self.repository, self.storing, parent)
            runs = list(joined(sorted([*runs, *missing])))
            runs = [(start, min(end, self._blocks)) for start, end in runs if start < self._blocks]
        self.changed = runs
        self._pages[: len(parent.pages)] = parent.pages

    def _digest(self, plain: memoryview) -> bytes:
        return digest_of(plain, self.storing.digest_key)

    # Reading

    def read_volume(self, threads: int) -> None:
        """Store every block and page that is not there, durably."""
        workers = [_Worker(self.storing.lane()) for _ in range(threads)]
        self._lanes += [worker.lane for worker in workers]
        work_through(self._spans(), self._store_share, workers, self._tick)
        self._settle_promises(workers[0])
        self.storing.finish(self._tell_progress)
        self._skipped_blocks = self._blocks - self._read_blocks
        self._tell_progress()

    def _spans(self) -> Iterator[tuple[_Page, list[Run]]]:
        """What to read, page after page, a MiB at a time; pages with nothing to read are closed on
        the way."""
        whole = [(0, self._blocks)] if self._blocks else []
        changed = whole if self.changed is None else self.changed
        data = runs_of_extents(self.reader.data_extents(), self.reader.size_bytes)
        reads = _by_page(cut(intersection(changed, data), SPAN_BLOCKS))
        read = next(reads, None)
        for number, runs in _by_page(cut(changed, PAGE_BLOCKS)):
            spans: list[Run] = []
            if read is not None and read[0] == number:
                spans, read = read[1], next(reads, None)
            self._skip_up_to(number, spans)
            if self.changed is None and not spans:
                continue  # all zeros
            shares = list(shared_out(spans, SPAN_BLOCKS))
            page = self._open_page(number, runs, len(shares))
            if not shares:
                self._close_page(page)
            for share in shares:
                yield page, share

    def _open_page(self, number: int, changed: list[Run], shares: int) -> _Page:
        in_parent = self._page_in_parent(number)
        digests = bytearray(PAGE_BYTES)
        if self.changed is not None and in_parent is not None:
            digests[:] = in_parent
            for start, end in changed:
                at = (start % PAGE_BLOCKS) * DIGEST_BYTES
                length = (end - start) * DIGEST_BYTES
                digests[at : at + length] = bytes(length)
        return _Page(number, digests, in_parent, shares)

    def _page_in_parent(self, number: int) -> bytes | None:
        if self.parent is None or number >= len(self.parent.pages):
            return None
        digest = self.parent.pages[number]
        if self.changed is not None and digest != NULL_DIGEST and not self.storing.find(digest):
            return None  # then all of the page counts as changed
        try:
            return self.repository.read_page(digest, self.project_id, self._frames)
        except DriverError as error:
            if error.code != Reason.corrupt or self.changed is not None:
                raise
            return None  # everything is read anyway

    def _store_share(self, worker: _Worker, item: tuple[_Page, list[Run]]) -> None:
        page, share = item
        for first, end in share:
            self._store_span(worker, page, first, end)
        with self._lock:
            self._read_blocks += sum(end - first for first, end in share)
            page.shares_left -= 1
            is_complete = page.shares_left == 0
        if is_complete:
            self._close_page(page)

    def _store_span(self, worker: _Worker, page: _Page, first: int, end: int) -> None:
        worker.span.read(self.reader, first, end)
        # With condemned packs about, being in the parent does not say that a block will stay.
        in_parent = page.in_parent if not self.storing.condemned else None
        for block in range(first, end):
            plain = worker.span.block(block - first)
            if plain is None:
                continue
            digest = self._digest(plain)
            place = (block % PAGE_BLOCKS) * DIGEST_BYTES
            page.digests[place : place + DIGEST_BYTES] = digest
            if in_parent is not None and in_parent.startswith(digest, place):
                continue
            if worker.lane.store(digest, plain) is Outcome.promised:
                with self._lock:
                    self._promised[digest] = block

    def _close_page(self, page: _Page) -> None:
        """Store a page whose blocks have all been read."""
        digest = NULL_DIGEST
        if page.digests != ZERO_PAGE:
            whole = bytes(page.digests)
            digest = digest_of(whole, self.storing.digest_key)
            with self._page_lock:
                self._page_lane.store(digest, whole, trust=False)
        self._pages[page.number] = digest

    def _settle_promises(self, worker: _Worker) -> None:
        """See that what other backups were about to store is there, or store it ourselves.

        Our own packs are closed before: two backups that wait for each other both get on.
        """
        if not self._promised:
            return
        self.storing.close_packs(self._tell_progress)
        give_up_at = monotonic() + PROMISE_WAIT_S
        for digest, block in self._promised.items():
            is_there = False
            while not is_there:
                left_s = give_up_at - monotonic()
                is_there = self.storing.settle(digest, max(0.0, min(TICK_S, left_s)))
                self._tell_progress()
                if left_s <= 0 or not self.storing.is_promised(digest):
                    break
            if not is_there:
                self._store_again(worker, digest, block)

    def _store_again(self, worker: _Worker, digest: bytes, block: int) -> None:
        worker.span.read(self.reader, block, block + 1)
        plain = worker.span.block(0)
        if plain is None or self._digest(plain) != digest:
            raise DriverError(
                "The volume changed while it was backed up.",
                code=Reason.failed,
                detail=f"block {block}",
            )
        worker.lane.store(digest, plain, trust=False)

    # Telling

    def _skip_up_to(self, page_number: int, spans: list[Run]) -> None:
        """What lies before this page's end and was not read is done."""
        end = min((page_number + 1) * PAGE_BLOCKS, self._blocks)
        self._planned_blocks += sum(stop - start for start, stop in spans)
        self._skipped_blocks = end - self._planned_blocks

    def _tick(self) -> None:
        self._tell_progress()
        if len(self._promised) > MANY_PROMISES:
            with self._lock:
                promised = list(self._promised)
            for digest in promised:
                if self.storing.settle(digest, 0):
                    with self._lock:
                        self._promised.pop(digest, None)

    def _tell_progress(self) -> None:
        done = (self._read_blocks + self._skipped_blocks) * BLOCK_BYTES
        self.on_progress(
            BackupProgress(
                done_bytes=min(done, self.reader.size_bytes),
                total_bytes=self.reader.size_bytes,
                read_bytes=self._read_blocks * BLOCK_BYTES,
                new_bytes=self._new_bytes,
                stored_bytes=self.storing.stored_bytes,
            )
        )

    @property
    def _new_bytes(self) -> int:
        return sum(lane.new_bytes for lane in self._lanes if lane is not self._page_lane)

    def manifest(self, metadata: Mapping[str, JSON]) -> Manifest:
        return Manifest(
            backup_id=self.ref.backup_id,
            volume_id=self.ref.volume_id,
            project_id=self.project_id,
            size_bytes=self.reader.size_bytes,
            created_at=datetime.now(UTC),
            parent_id=self.parent.backup_id if self.parent is not None else None,
            read_bytes=self._read_blocks * BLOCK_BYTES,
            new_bytes=self._new_bytes,
            stored_bytes=self.storing.stored_bytes,
            metadata=metadata,
            pages=tuple(self._pages),
        )


def _by_page(runs: Iterable[Run]) -> Iterator[tuple[int, list[Run]]]:
    """Runs that no border of pages divides, page by page."""
    for number, group in groupby(runs, key=lambda run: run[0] // PAGE_BLOCKS):
        yield number, list(group)
