"""Bringing a backup back into a volume, past damage if that is wanted."""

from functools import partial
from typing import Any

from backups.contents import open_contents
from backups.engine.manifest import Manifest
from backups.engine.restore import RestoreProgress, restore
from backups.models import Backup
from backups.upkeep.bad_ranges import add_bad_ranges, no_bad_ranges
from backups.upkeep.mending import mend_index
from drivers.errors import DriverError, Reason
from drivers.volume.base import Extent, VolumeWriter
from storage_project.operations.messages import Code, StepError
from storage_project.operations.run import Run


def bring_back(
    row: Backup,
    manifest: Manifest,
    writer: VolumeWriter,
    run: Run,
    *,
    is_blank: bool,
    skip_damaged: bool,
) -> dict[str, Any]:
    """Make a volume hold what was backed up, and zeros beyond that; return the ranges that are
    lost, and read as zeros now. `is_blank`: it is all zeros.

    Without `skip_damaged` none ever are: it raises a `StepError`, which names that way out.
    """

    def tell(progress: RestoreProgress) -> None:
        written_bytes = progress.written_bytes
        run.progress(
            progress.done_bytes,
            progress.total_bytes,
            phase="writes the volume",
            transferred_bytes=written_bytes,
            skipped_bytes=max(0, progress.done_bytes - written_bytes),
        )
        run.keep_going()

    repository = open_contents(row.container)
    go = partial(restore, repository, manifest, writer, skip_damaged=skip_damaged, on_progress=tell)
    for is_last in (False, True):
        lost: list[Extent] = []
        damage = None
        try:
            lost = go(target_is_blank=is_blank)
        except DriverError as error:
            if error.code != Reason.corrupt:
                raise
            damage = error
        # It may only be the index that does not know where everything is.
        if not (lost or damage) or is_last or not mend_index(repository, run):
            break
        is_blank = False
    if damage is not None:
        raise StepError(
            Code.DAMAGED,
            f"{row.container}: {damage} With skip_damaged, a restore goes on past what is lost, "
            f"and tells where that was.",
        )
    bad = no_bad_ranges()
    add_bad_ranges(bad, lost)
    return bad
