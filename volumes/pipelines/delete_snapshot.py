"""What happens when a snapshot is deleted.

deleting --(removed from its pool)--> the row is gone, its quota given back
         --(the backend could not)--> error_deleting, and it can be deleted again
         --(cancelled before it began)--> what it was
"""

from storage_project.operations.messages import StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run
from volumes.backends import open_backend
from volumes.models import Snapshot
from volumes.pipelines.failed_delete import end_failed_delete
from volumes.pools import placed, queue_of
from volumes.removal import remove_snapshot_row

pipeline = Pipeline("snapshot.delete", model=Snapshot)


@pipeline.validate
def validate(run: Run) -> None:
    run.require_status("deleting")


@pipeline.schedule
def schedule(run: Run) -> None:
    snapshot: Snapshot = run.load("volume__pool__service")
    run.provision_queue = queue_of(placed(snapshot.volume).host)


@pipeline.provision
def provision(run: Run) -> None:
    snapshot: Snapshot = run.load("volume__pool")
    pool = placed(snapshot.volume)
    open_backend(pool.backend).delete_snapshot(
        str(snapshot.pk), str(snapshot.volume_id), pool=pool.name
    )


@pipeline.report
def report(run: Run) -> None:
    with run.commit():
        remove_snapshot_row(run.load("volume__volume_type"), operation=run.operation)


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    end_failed_delete(run, run.resource, run.arguments["was"], error)
