"""What happens when a backup is restored into a volume.

    the backup: restoring --> available, however it ends
    the volume: restoring-backup --(it has the content)--> available
                                 --(it could not be read or written, or was cancelled half way)-->
                                   error_restoring, and it can be restored once more
                                 --(given up, or the backup not found, before it began)-->
                                   what it was

A new volume is made by a `volume.create` of its own, which this waits for. Each byte of the volume
is as it was in the backup then, and zeros beyond its end. With `skip_damaged` what is lost reads as
zeros, and is told. After damage the backup is verified. What a killed worker has written is written
again.
"""

from uuid import UUID

from backups import contents
from backups.models import Backup
from backups.repositories import copying_queue
from backups.upkeep.bad_ranges import sentence_of
from backups.upkeep.restoring import bring_back
from storage_project.operations.flow import advance_if_possible
from storage_project.operations.messages import SENTENCES, Code, StepError
from storage_project.operations.models import Operation
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run
from storage_project.operations.services import go_on_with
from storage_project.operations.states import Status
from storage_project.operations.telling import tell
from volumes.backends import open_backend
from volumes.models import Volume
from volumes.pools import placed

pipeline = Pipeline("backup.restore", model=Backup)


@pipeline.validate
def validate(run: Run) -> None:
    run.require_status("restoring")
    making = Operation.objects.filter(pk__in=run.arguments.get("waits_for", []))
    if making.filter(status=Status.CANCELLED).exists():
        raise StepError(Code.CANCELLED, "So was the making of its volume.")
    run.require(_volume_of(run).status, "restoring-backup")


@pipeline.schedule
def schedule(run: Run) -> None:
    backup: Backup = run.load()
    run.provision_queue = copying_queue(placed(_volume_of(run)), backup.container)


@pipeline.provision
def provision(run: Run) -> None:
    backup: Backup = run.load()
    volume = _volume_of(run)
    pool = placed(volume)
    with contents.told_by(backup.container):
        manifest = contents.find(backup)  # what cannot even be found costs the volume nothing
    is_blank = run.arguments["is_new"] and not run.notes.get("begun")
    run.notes["begun"] = True
    with run.checkpoint():  # a worker that is late must not write over what was written since
        pass
    writer = open_backend(pool.backend).open_writer(str(volume.pk), pool=pool.name)
    with writer, contents.told_by(backup.container):
        lost = bring_back(
            backup,
            manifest,
            writer,
            run,
            is_blank=is_blank,
            skip_damaged=run.arguments.get("skip_damaged", False),
        )
    if lost["damaged_count"]:
        run.notes["result"] = lost


@pipeline.report
def report(run: Run) -> None:
    with run.commit():
        advance_if_possible(run.reference, "restored", operation=run.operation)
        if volume := _locked_volume(run):
            advance_if_possible(volume, "backup_restored", operation=run.operation)
        if lost := run.notes.get("result"):
            tell(
                run.operation,
                Code.DAMAGED,
                f"{SENTENCES[Code.DAMAGED]} {sentence_of(lost)} There it reads as zeros now; all "
                f"else is as it was. Operation {run.operation.pk} has the list.",
                level="WARNING",
                about=("volume", UUID(run.arguments["volume_id"])),
            )
            _look_closer(run)


@pipeline.undo
def undo(run: Run) -> None:
    """What the volume had is gone. That it may be stopped all the same is what this is for."""


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    told = {"operation": run.operation, "note": error.sentence}
    if advance_if_possible(run.reference, "restored", **told) and error.code is Code.DAMAGED:
        _look_closer(run)
    # One that is still being made looks for this operation when it is, and finds that it has ended.
    volume = _locked_volume(run)
    if volume is None or volume.status != "restoring-backup":
        return
    if run.notes.get("begun"):
        advance_if_possible(volume, "fail_restore_backup", **told)
    else:
        advance_if_possible(volume, "keep_unrestored", to=run.arguments["was"], **told)


def _look_closer(run: Run) -> None:
    """Find out what is damaged, and whom it hits: the backup is verified next."""
    go_on_with("backup.verify", run.resource, after=run.operation)


def _volume_of(run: Run) -> Volume:
    volumes = Volume.objects.filter(pk=UUID(run.arguments["volume_id"]))
    volume = volumes.select_related("pool__service").first()
    if volume is None:
        raise StepError(Code.CHANGED_MEANWHILE, "The volume has been deleted.")
    return volume


def _locked_volume(run: Run) -> Volume | None:
    return Volume.objects.select_for_update().filter(pk=UUID(run.arguments["volume_id"])).first()
