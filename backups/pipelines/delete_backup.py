"""What happens when a backup is deleted.

    deleting --(its manifest is gone from the repository)--> the row is gone, its quota given back
             --(the repository could not)--> error_deleting, and it can be deleted again
             --(cancelled before it began)--> what it was

Whatever was compared with it stays whole: each backup knows all of its blocks. What only this one
had is freed later, by the collector. Where its volume keeps a snapshot for the next incremental
backup to be compared with this one, that goes with it.
"""

from backups import contents
from backups.models import Backup
from backups.removal import remove_backup_row
from backups.repositories import copying_queue, repository_queue
from backups.upkeep.figures import has_changed
from storage_project.operations.flow import advance_if_possible
from storage_project.operations.messages import Code, StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run
from volumes.backends import open_backend
from volumes.models import Volume
from volumes.pools import placed

pipeline = Pipeline("backup.delete", model=Backup)


@pipeline.validate
def validate(run: Run) -> None:
    run.require_status("deleting")


@pipeline.schedule
def schedule(run: Run) -> None:
    backup: Backup = run.load()
    volume = _volume_that_remembers(backup)
    run.provision_queue = (
        copying_queue(placed(volume), backup.container)
        if volume
        else repository_queue(backup.container)
    )


@pipeline.provision
def provision(run: Run) -> None:
    backup: Backup = run.load()
    with contents.told_by(backup.container):
        contents.forget(backup)
    if volume := _volume_that_remembers(backup):
        pool = placed(volume)
        open_backend(pool.backend).delete_snapshot(str(backup.pk), str(volume.pk), pool=pool.name)


@pipeline.report
def report(run: Run) -> None:
    # In whatever status: nothing is left of it, even where somebody has reset it meanwhile.
    backup: Backup = run.load()
    with run.commit():
        Volume.objects.filter(base_snapshot_id=backup.pk).update(base_snapshot_id=None)
        Volume.objects.filter(backup_snapshot_id=backup.pk).update(backup_snapshot_id=None)
        remove_backup_row(backup, operation=run.operation)
        has_changed(backup.container)


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    backup: Backup = run.resource
    was = run.arguments["was"]
    if error.code is Code.CANCELLED and was not in backup.flow.transitional:
        advance_if_possible(backup, "keep", to=was, operation=run.operation)
    else:
        advance_if_possible(
            backup,
            "fail_delete",
            operation=run.operation,
            note=error.sentence,
            fail_reason=error.sentence,
        )


def _volume_that_remembers(backup: Backup) -> Volume | None:
    """Its volume, where that keeps a snapshot because of it."""
    volume = Volume.objects.filter(pk=backup.volume_id).select_related("pool__service").first()
    kept = volume is not None and str(backup.pk) in volume.internal_snapshots
    return volume if kept else None
