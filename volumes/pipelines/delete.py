"""What happens when a volume is deleted.

    deleting --(removed from its pool)--> the row is gone, its quota and room given back
             --(the backend could not)--> error_deleting, and it can be deleted again
             --(cancelled before it began)--> what it was

A forced delete may come while another operation works on the volume. That one was asked to stop;
until it has, this one waits, so that the two never work on the backend at once. When such a delete
is cancelled, nobody knows what became of the volume, and it ends in error_deleting.
"""

from storage_project.operations.flow import advance_if_possible
from storage_project.operations.messages import Code, StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run
from storage_project.operations.states import CONTROL_QUEUE
from volumes.backends import open_backend
from volumes.models import Volume
from volumes.pools import queue_of
from volumes.removal import remove_row

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
    if volume.pool:
        open_backend(volume.pool.backend).delete_volume(str(volume.pk), pool=volume.pool.name)


@pipeline.report
def report(run: Run) -> None:
    with run.commit():
        remove_row(run.load("volume_type"), operation=run.operation)


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    volume: Volume = run.resource
    was = run.arguments["was"]
    if error.code is Code.CANCELLED and was not in volume.flow.transitional:
        advance_if_possible(volume, "keep", to=was, operation=run.operation)
    else:
        advance_if_possible(volume, "fail_delete", operation=run.operation, note=error.sentence)
