"""What happens when a repository is collected.

    collecting --(what no backup needs is listed, what was listed long ago is freed, and the rest is
                  measured)--> available
               --(it could not be read, or it was cancelled)--> available

A collector that was killed leaves nothing wrong: the next one goes on.
"""

from django.db.models.functions import Now

from backups import contents
from backups.known import AFTER_FAILURE
from backups.models import Repository
from backups.repositories import repository_queue
from backups.upkeep import collecting
from backups.upkeep.figures import measure
from storage_project.operations.flow import advance_if_possible
from storage_project.operations.messages import Code, StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run

pipeline = Pipeline("repository.collect", model=Repository)


@pipeline.validate
def validate(run: Run) -> None:
    run.require_status("collecting")


@pipeline.schedule
def schedule(run: Run) -> None:
    repository: Repository = run.load()
    run.provision_queue = repository_queue(repository.name)


@pipeline.provision
def provision(run: Run) -> None:
    repository: Repository = run.load()
    with contents.told_by(repository.name):
        collecting.free_space(repository.name, run)
        measure(repository.name)


@pipeline.report
def report(run: Run) -> None:
    with run.commit():
        advance_if_possible(run.reference, "collected", operation=run.operation, collected_at=Now())


@pipeline.undo
def undo(run: Run) -> None:
    """Nothing that it does harms anybody. That it may be stopped is what this is for."""


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    told = {"operation": run.operation, "note": error.sentence}
    if error.code is Code.CANCELLED:
        advance_if_possible(run.reference, "collected", **told)
    else:
        # Mostly a backup lacks a block; that is not mended within the hour.
        advance_if_possible(run.reference, "collected", collect_after=Now() + AFTER_FAILURE, **told)
