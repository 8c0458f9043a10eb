"""What happens when a volume is backed up.

    creating --(its content is in the repository)--> available
             --(it cannot be, or it was cancelled)--> error, and nothing of it is left

The volume is `backing-up` meanwhile, and then again what its attachments make it. Where one of its
snapshots is backed up, only that is.

What is read must not change while it is read. So the volume is kept as it is by a snapshot of its
own first, with the id of the backup, where that costs nothing (`fast_copies`) or somebody may be
writing; a volume at rest elsewhere is read directly. That snapshot is written to the volume's row
before it is made, so whoever takes over from a killed worker finds it. Where the backend can tell
what differs between two snapshots, it is kept as the base of the next incremental backup, instead
of the one before: each volume has one at most.
"""

from django.db.models.functions import Now

from backups import contents
from backups.models import Backup
from backups.repositories import copying_queue
from backups.upkeep.figures import has_changed
from drivers.volume.base import Extent, VolumeDriver
from storage_project.operations.flow import advance_if_possible
from storage_project.operations.messages import Code, StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run
from volumes.attachment_state import status_at_rest
from volumes.backends import open_backend
from volumes.models import Snapshot, Volume
from volumes.pools import placed

pipeline = Pipeline("backup.create", model=Backup)

DISTRUSTED = "The backend's word on what had changed was wrong, so everything was read."


@pipeline.validate
def validate(run: Run) -> None:
    run.require_status("creating")


@pipeline.schedule
def schedule(run: Run) -> None:
    backup: Backup = run.load()
    run.provision_queue = copying_queue(placed(_volume_of(backup)), backup.container)


@pipeline.provision
def provision(run: Run) -> None:
    backup: Backup = run.load()
    volume = _volume_of(backup)
    pool = placed(volume)
    driver = open_backend(pool.backend)
    source = _stable_view(run, driver, backup, volume)
    backup.refresh_from_db(fields=["data_timestamp"])  # which the repository keeps, too
    changed = _changed_extents(driver, backup, volume, source)
    reader = driver.open_reader(str(volume.pk), pool=pool.name, snapshot_id=source)
    with reader, contents.told_by(backup.container):
        result = contents.store(backup, reader, changed, run)
    run.notes["figures"] = contents.figures_of(result)
    run.notes["remark"] = DISTRUSTED if result.is_distrusted else ""
    run.keep_going()
    if source == str(backup.pk):
        # The newest base is enough; where none is of use, not even that is kept.
        keeps = run.notes["keeps_base"] = driver.capabilities.changed_extents
        superfluous = volume.base_snapshot_id if keeps else backup.pk
        if superfluous is not None:
            driver.delete_snapshot(str(superfluous), str(volume.pk), pool=pool.name)


@pipeline.report
def report(run: Run) -> None:
    backup: Backup = run.load()
    with run.commit():
        told = {"operation": run.operation, "note": run.notes["remark"]}
        advance_if_possible(backup, "created", **told, **run.notes["figures"])
        _release_source(run, backup)
        volume = Volume.objects.filter(backup_snapshot_id=backup.pk)
        if run.notes.get("keeps_base"):
            volume.update(base_snapshot_id=backup.pk, backup_snapshot_id=None)
        else:
            volume.update(backup_snapshot_id=None)
        has_changed(backup.container)


@pipeline.undo
def undo(run: Run) -> None:
    backup: Backup = run.load()
    contents.forget(backup)
    volume = Volume.objects.filter(pk=backup.volume_id).select_related("pool").first()
    if volume is not None and volume.backup_snapshot_id == backup.pk:
        pool = placed(volume)
        open_backend(pool.backend).delete_snapshot(str(backup.pk), str(volume.pk), pool=pool.name)


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    backup: Backup = run.resource
    reason = error.sentence
    advance_if_possible(
        backup, "fail_create", operation=run.operation, note=reason, fail_reason=reason
    )
    _release_source(run, backup)
    if not run.left_behind:
        Volume.objects.filter(backup_snapshot_id=backup.pk).update(backup_snapshot_id=None)


def _volume_of(backup: Backup) -> Volume:
    volume = Volume.objects.filter(pk=backup.volume_id).select_related("pool__service").first()
    if volume is None:
        raise StepError(Code.CHANGED_MEANWHILE, "Its volume has been deleted.")
    return volume


def _stable_view(run: Run, driver: VolumeDriver, backup: Backup, volume: Volume) -> str | None:
    """The snapshot to read, or None for the volume itself, which nobody writes to."""
    pool = placed(volume)
    if backup.snapshot_id is not None:
        with run.checkpoint():
            pass  # only whoever holds the lease goes on
        return str(backup.snapshot_id)
    left_behind = volume.backup_snapshot_id
    needs_snapshot = left_behind == backup.pk or volume.in_use or driver.capabilities.fast_copies
    if left_behind and left_behind != backup.pk:
        driver.delete_snapshot(str(left_behind), str(volume.pk), pool=pool.name)
    with run.checkpoint():
        Backup.objects.filter(pk=backup.pk, data_timestamp=None).update(data_timestamp=Now())
        Volume.objects.filter(pk=volume.pk).update(
            backup_snapshot_id=backup.pk if needs_snapshot else None
        )
    if not needs_snapshot:
        return None
    run.progress(0, phase="takes a snapshot")
    driver.create_snapshot(str(backup.pk), str(volume.pk), pool=pool.name, in_use=volume.in_use)
    return str(backup.pk)


def _changed_extents(
    driver: VolumeDriver, backup: Backup, volume: Volume, source: str | None
) -> list[Extent] | None:
    """Where it may differ from its parent, if the backend still knows what that was like."""
    if backup.parent_id is None or volume.base_snapshot_id != backup.parent_id:
        return None
    return driver.changed_extents(
        str(volume.pk), str(backup.parent_id), source, pool=placed(volume).name
    )


def _release_source(run: Run, backup: Backup) -> None:
    """Let the volume, or the snapshot, be again what it is by itself."""
    if backup.snapshot_id is not None:
        snapshot = Snapshot.objects.filter(pk=backup.snapshot_id).first()
        if snapshot is not None:
            advance_if_possible(snapshot, "backed_up", operation=run.operation)
        return
    volume = Volume.objects.select_for_update().filter(pk=backup.volume_id).first()
    if volume is not None:
        now = status_at_rest(volume)
        advance_if_possible(volume, "backed_up", to=now, operation=run.operation)
