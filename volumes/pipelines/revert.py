"""What happens when a volume is reverted to its latest snapshot.

    reverting --(the backend has put the snapshot's content back)--> available
              --(it could not)--> error
              --(cancelled, or given up, before it began)--> available

The snapshot is `restoring` meanwhile, and available again however it ends. Once the backend has
begun, the old content is going, so there is no way back.
"""

from storage_project.operations.flow import advance_if_possible
from storage_project.operations.messages import Code, StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run
from storage_project.operations.states import UNTOUCHED
from volumes.backends import open_backend
from volumes.models import Snapshot, Volume
from volumes.pools import copy_queue, placed

pipeline = Pipeline("volume.revert", model=Volume)


@pipeline.validate
def validate(run: Run) -> None:
    run.require_status("reverting")


@pipeline.schedule
def schedule(run: Run) -> None:
    volume: Volume = run.load("pool__service")
    run.provision_queue = copy_queue(placed(volume))


@pipeline.provision
def provision(run: Run) -> None:
    volume: Volume = run.load("pool")
    pool = placed(volume)
    open_backend(pool.backend).revert_to_snapshot(
        str(volume.pk),
        run.arguments["snapshot_id"],
        pool=pool.name,
        # A worker that is late must not put the old content back over what was written since.
        on_progress=run.track_to_the_end,
    )


@pipeline.report
def report(run: Run) -> None:
    with run.commit():
        advance_if_possible(run.reference, "reverted", operation=run.operation)
        _release_snapshot(run)


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    untouched = error.code is Code.CANCELLED or run.operation.step in UNTOUCHED
    move = "keep_content" if untouched else "fail_revert"
    advance_if_possible(run.reference, move, operation=run.operation, note=error.sentence)
    _release_snapshot(run)


def _release_snapshot(run: Run) -> None:
    snapshot = Snapshot.objects.filter(pk=run.arguments["snapshot_id"]).first()
    if snapshot is not None:
        advance_if_possible(snapshot, "restored", operation=run.operation)
