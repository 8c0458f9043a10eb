"""Verifying one backup: every block and page of it is read, and is what was written."""

from typing import Any

from django.db import transaction

from backups.contents import ref_of
from backups.engine.hits import objects_behind
from backups.engine.manifest import Manifest
from backups.engine.repository import Repository
from backups.engine.restore import RestoreProgress
from backups.engine.verify import verify_backup
from backups.models import Backup
from backups.states import READABLE
from backups.upkeep.bad_ranges import add_bad_ranges, no_bad_ranges, sentence_of
from backups.upkeep.damages import found_damaged, found_whole, object_sentence
from backups.upkeep.mending import mend_index, with_whole_index
from backups.upkeep.windows import windows
from drivers.errors import DriverError, Reason
from drivers.volume.base import Extent
from storage_project.operations.messages import Code, StepError
from storage_project.operations.run import Run

PAGES_AT_ONCE = 64  # 16 GiB
MOST_OBJECTS = 1000


def verify(row: Backup, run: Run) -> None:
    """Read all of a backup; what is found stands in the notes, for `keep_finding`."""
    with_whole_index(row.container, lambda repository: _verify(repository, row, run), run)


def _verify(repository: Repository, row: Backup, run: Run) -> None:
    manifest = manifest_of(repository, row, run)
    if manifest is None:
        return

    def tell(progress: RestoreProgress) -> None:
        run.progress(
            progress.done_bytes,
            progress.total_bytes,
            phase="reads the backup",
            read_bytes=progress.written_bytes,
            skipped_bytes=max(0, progress.done_bytes - progress.written_bytes),
        )
        run.keep_going()

    for pages in windows(manifest, run, PAGES_AT_ONCE):
        lost = verify_backup(repository, manifest, pages=pages, on_progress=tell)
        if lost and mend_index(repository, run):
            lost = verify_backup(repository, manifest, pages=pages, on_progress=tell)
        note_lost(repository, manifest, lost, run)


def manifest_of(repository: Repository, row: Backup, run: Run) -> Manifest | None:
    """The manifest of a backup; where that is lost, None, and a note of it."""
    try:
        return repository.read_manifest(ref_of(row))
    except DriverError as error:
        if error.code not in (Reason.corrupt, Reason.not_found):
            raise
        if not Backup.objects.filter(pk=row.pk, status__in=READABLE).exists():
            raise StepError(Code.CHANGED_MEANWHILE, "It is being deleted.") from error
        run.notes["lost"] = {"objects": [ref_of(row).key], "sentence": error.sentence}
        return None


def note_lost(repository: Repository, manifest: Manifest, lost: list[Extent], run: Run) -> None:
    """Note ranges that are lost, and the objects that should have them."""
    notes: dict[str, Any] = run.notes.setdefault("lost", {"objects": [], **no_bad_ranges()})
    if lost:
        add_bad_ranges(notes, lost)
        objects = {*notes["objects"], *objects_behind(repository, manifest, lost)}
        notes["objects"] = sorted(objects)[:MOST_OBJECTS]
        notes["sentence"] = sentence_of(notes)


def keep_finding(row: Backup, run: Run) -> None:
    """Write what was found to the backup's row; in the caller's transaction."""
    assert transaction.get_connection().in_atomic_block
    lost = run.notes["lost"]
    if "sentence" in lost:
        objects = {key: object_sentence(key) for key in lost["objects"]}
        found_damaged(row, lost["sentence"], objects, run.operation)
    else:
        found_whole(row)
    found = {name: lost[name] for name in no_bad_ranges() if name in lost}
    verification = "damaged" if "sentence" in lost else "ok"
    run.notes["result"] = {"verification": verification, **found}
