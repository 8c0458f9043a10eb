"""What happens when a repository is scrubbed.

    scrubbing --(a part of it was read, and all records)--> available, its damages are rows
              --(it could not be read, or it was cancelled)--> available

What is found is kept as it is found; the next scrub goes on where this one has come to.
"""

from django.db.models.functions import Now

from backups import contents
from backups.models import Repository
from backups.repositories import repository_queue
from backups.upkeep import figures, scrubbing
from storage_project.operations.flow import advance_if_possible
from storage_project.operations.messages import StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run

pipeline = Pipeline("repository.scrub", model=Repository)


@pipeline.validate
def validate(run: Run) -> None:
    run.require_status("scrubbing")


@pipeline.schedule
def schedule(run: Run) -> None:
    repository: Repository = run.load()
    run.provision_queue = repository_queue(repository.name)


@pipeline.provision
def provision(run: Run) -> None:
    repository: Repository = run.load()
    with contents.told_by(repository.name):
        scrubbing.scrub(repository, run)
        figures.measure(repository.name)


@pipeline.report
def report(run: Run) -> None:
    with run.commit():
        advance_if_possible(run.reference, "scrubbed", operation=run.operation, scrubbed_at=Now())


@pipeline.undo
def undo(run: Run) -> None:
    """It has only read and mended. That it may be stopped all the same is what this is for."""


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    advance_if_possible(run.reference, "scrubbed", operation=run.operation, note=error.sentence)
