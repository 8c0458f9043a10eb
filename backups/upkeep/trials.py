"""Testing a backup: it is restored into a scratch file, which is read back and compared.

The file has the size of the volume, but only a part of it is filled at a time: what has been
compared is a hole again. So a backup of any size needs little room, and who is killed goes on
behind what was compared. No tenant sees the file; it goes with its operation, on every path.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now

from backups.engine.compare import differing_extents
from backups.engine.format import BLOCK_BYTES, PAGE_BLOCKS
from backups.engine.manifest import Manifest
from backups.engine.repository import Repository
from backups.engine.restore import RestoreProgress, restore
from backups.engine.runs import Run as Blocks
from backups.engine.runs import intersection, runs_of_extents
from backups.models import Backup
from backups.upkeep.mending import mend_index, with_whole_index
from backups.upkeep.verifying import manifest_of, note_lost
from backups.upkeep.windows import windows
from drivers.errors import DriverError, Reason
from drivers.page_cache import drop
from drivers.units import MIB
from drivers.volume.base import Extent
from drivers.volume.os_errors import translated_os_errors
from drivers.volume.raw_file import RawFileWriter
from storage_project.operations.models import Operation
from storage_project.operations.run import Run
from storage_project.operations.states import ACTIVE

PAGES_AT_ONCE = 4  # 1 GiB
PAGE_SPAN = PAGE_BLOCKS * BLOCK_BYTES
KEPT_FREE = 512 * MIB
ANOTHER = "The scratch disk gave back something else than was written to it."


def test(row: Backup, run: Run) -> None:
    """Restore all of a backup and compare it; what is found stands in the notes."""
    with_whole_index(row.container, lambda repository: _test(repository, row, run), run)


def _test(repository: Repository, row: Backup, run: Run) -> None:
    manifest = manifest_of(repository, row, run)
    if manifest is None:
        return
    run.notes.setdefault("bytes", manifest.size_bytes)
    with _scratch(run.operation.pk, manifest.size_bytes) as volume:
        for pages in windows(manifest, run, PAGES_AT_ONCE):
            began = monotonic()
            lost = _fill(repository, manifest, volume, pages, run)
            if lost and mend_index(repository, run):
                lost = _fill(repository, manifest, volume, pages, run)
            note_lost(repository, manifest, lost, run)
            volume.forget_cached()
            run.progress(run.operation.progress_bytes, phase="compares")
            found = differing_extents(
                repository, manifest, volume, pages=pages, tick=run.keep_going
            )
            if _blocks_in(found, lost, manifest) < _blocks_in(found, found, manifest):
                run.notes["differs"] = True
            volume.clear(pages)
            run.notes["worked_s"] = run.notes.get("worked_s", 0.0) + monotonic() - began


def _fill(
    repository: Repository, manifest: Manifest, volume: "_Scratch", pages: range, run: Run
) -> list[Extent]:
    volume.clear(pages)
    require_room(volume.folder)

    def tell(progress: RestoreProgress) -> None:
        written_bytes = progress.written_bytes
        run.progress(
            progress.done_bytes,
            progress.total_bytes,
            phase="restores",
            transferred_bytes=written_bytes,
            skipped_bytes=max(0, progress.done_bytes - written_bytes),
        )
        run.keep_going()

    return restore(
        repository,
        manifest,
        volume,
        target_is_blank=True,
        skip_damaged=True,
        pages=pages,
        on_progress=tell,
    )


def _blocks_in(ones: list[Extent], others: list[Extent], manifest: Manifest) -> int:
    """How many blocks are in both."""

    def runs(extents: list[Extent]) -> Iterator[Blocks]:
        return runs_of_extents(extents, manifest.size_bytes)

    return sum(end - start for start, end in intersection(runs(ones), runs(others)))


def keep_report(row: Backup, run: Run) -> None:
    """Write the dated report to the backup's row; in the caller's transaction."""
    notes = run.notes
    result, detail = "ok", ""
    if sentence := notes["lost"].get("sentence"):
        result, detail = "damaged", sentence
    elif notes.get("differs"):
        result, detail = "failed", ANOTHER
    size_bytes, worked_s = notes.get("bytes", 0), notes.get("worked_s", 0.0)
    report: dict[str, Any] = {
        "result": result,
        "detail": detail,
        "bytes": size_bytes,
        "duration_s": round(worked_s, 3),
        "bytes_per_s": int(size_bytes / worked_s) if worked_s else None,
    }
    Backup.objects.filter(pk=row.pk).update(tested_at=Now(), test_report=report)
    run.notes["result"] = {**run.notes.get("result", {}), **report}


# The scratch file


class _Scratch(RawFileWriter):
    """A sparse file as a volume."""

    def __init__(self, descriptor: int, folder: Path) -> None:
        super().__init__(descriptor, thin=True)
        self.folder = folder

    def clear(self, pages: range) -> None:
        """Make a hole of these pages."""
        start = pages.start * PAGE_SPAN
        self.write_zeros(start, min(pages.stop * PAGE_SPAN, self.size_bytes) - start)

    @translated_os_errors("scratch folder")
    def forget_cached(self) -> None:
        """Have what is read next come from the disk."""
        drop(self._descriptor, 0, 0)


@contextmanager
def _scratch(operation_id: UUID, size_bytes: int) -> Iterator[_Scratch]:
    folder = scratch_folder()
    path = folder / str(operation_id)
    with translated_os_errors("scratch folder"):
        folder.mkdir(parents=True, exist_ok=True)
        # A new one: a worker that has lost its lease may still be writing to the one before.
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with translated_os_errors("scratch folder"):
            os.ftruncate(descriptor, size_bytes)
        with _Scratch(descriptor, folder) as volume:
            yield volume
    finally:
        path.unlink(missing_ok=True)


def scratch_folder() -> Path:
    folder: Path = settings.STORAGE_HOME / "scratch"
    return folder


def require_room(folder: Path) -> None:
    """Raise `no_space` unless the next part fits, and the disk is not nearly full then."""
    disk = os.statvfs(folder)
    if disk.f_bavail * disk.f_frsize < PAGES_AT_ONCE * PAGE_SPAN + KEPT_FREE:
        raise DriverError(
            "The machine that tests backups has too little space in its home folder; 1.5 GiB are "
            "needed.",
            code=Reason.no_space,
        )


def forget_scratch(operation_id: UUID) -> None:
    """Delete what a killed test has left on this machine."""
    (scratch_folder() / str(operation_id)).unlink(missing_ok=True)


def forget_scratches() -> None:
    """Delete what killed tests have left that nobody goes on with here."""
    folder = scratch_folder()
    at_work = Operation.objects.filter(kind="backup.test", status__in=ACTIVE)
    known = {str(pk) for pk in at_work.values_list("pk", flat=True)}
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in known:
            path.unlink(missing_ok=True)
