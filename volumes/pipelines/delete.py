"""What happens when a volume is deleted.

    deleting --(removed from its pool)--> the row is gone, its quota and room given back
             --(the backend could not)--> error_deleting, and it can be deleted again
             --(cancelled before it began)--> what it was

With `cascade` its snapshots go first, in the same operation; one that is being deleted by itself,
or worked on in another way, is waited for.

A forced delete may come while another operation works on the volume. That one was asked to stop;
until it has, this one waits, so that the two never work on the backend at once. When such a delete
is cancelled, nobody knows what became of the volume, and it ends in error_deleting.
"""

from storage_project.operations.messages import StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run
from storage_project.operations.states import CONTROL_QUEUE
from volumes.backends import open_backend
from volumes.models import Snapshot, Volume
from volumes.pipelines.failed_delete import end_failed_delete
from volumes.pools import queue_of
from volumes.removal import remove_row, remove_snapshot_row

pipeline = Pipeline("volume.delete", model=Volume)


@pipeline.validate
def validate(run: Run) -> None:
    run.require_status("deleting")


@pipeline.schedule
def schedule(run: Run) -> None:
    pool = run.load("pool__service").pool
    run.provision_queue = queue_of(pool.host) if pool else CONTROL_QUEUE


@pipeline.provision
def provision(run: Run) -> None:
    volume: Volume = run.load("pool")
    if not volume.pool:
        return
    driver = open_backend(volume.pool.backend)
    for snapshot_id in (*_snapshots(run), *volume.internal_snapshots):
        driver.delete_snapshot(snapshot_id, str(volume.pk), pool=volume.pool.name)
    driver.delete_volume(str(volume.pk), pool=volume.pool.name)


@pipeline.report
def report(run: Run) -> None:
    # In whatever status: nothing is left of them, even where somebody has reset it meanwhile.
    snapshots = Snapshot.objects.filter(pk__in=_snapshots(run))
    with run.commit():
        for snapshot in snapshots.select_related("volume__volume_type"):
            remove_snapshot_row(snapshot, operation=run.operation)
        remove_row(run.load("volume_type"), operation=run.operation)


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    end_failed_delete(run, run.resource, run.arguments["was"], error)
    snapshots = _snapshots(run)
    for snapshot in Snapshot.objects.filter(pk__in=snapshots):
        end_failed_delete(run, snapshot, snapshots[str(snapshot.pk)], error)


def _snapshots(run: Run) -> dict[str, str]:
    """The snapshots that go with the volume, and the status that each had."""
    snapshots: dict[str, str] = run.arguments.get("snapshots", {})
    return snapshots
