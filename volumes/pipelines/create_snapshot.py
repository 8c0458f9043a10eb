"""What happens when a snapshot is taken.

    creating --(the backend keeps the volume as it is at one moment)--> available
             --(it cannot)--> error

The volume's own status does not change: it goes on being used meanwhile.
"""

from storage_project.operations.flow import advance_if_possible
from storage_project.operations.messages import StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run
from volumes.backends import open_backend
from volumes.models import Snapshot
from volumes.pools import copy_queue, placed

pipeline = Pipeline("snapshot.create", model=Snapshot)


@pipeline.validate
def validate(run: Run) -> None:
    # Its status may be another by now: who has said that it is available already is to find it.
    run.load()


@pipeline.schedule
def schedule(run: Run) -> None:
    snapshot: Snapshot = run.load("volume__pool__service")
    run.provision_queue = copy_queue(placed(snapshot.volume))


@pipeline.provision
def provision(run: Run) -> None:
    snapshot: Snapshot = run.load("volume__pool")
    pool = placed(snapshot.volume)
    open_backend(pool.backend).create_snapshot(
        str(snapshot.pk),
        str(snapshot.volume_id),
        pool=pool.name,
        in_use=snapshot.volume.in_use,
        on_progress=run.track,
    )


@pipeline.report
def report(run: Run) -> None:
    with run.commit():
        advance_if_possible(run.reference, "created", operation=run.operation)


@pipeline.undo
def undo(run: Run) -> None:
    snapshot: Snapshot = run.load("volume__pool")
    pool = placed(snapshot.volume)
    open_backend(pool.backend).delete_snapshot(
        str(snapshot.pk), str(snapshot.volume_id), pool=pool.name
    )


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    advance_if_possible(run.reference, "fail_create", operation=run.operation, note=error.sentence)
