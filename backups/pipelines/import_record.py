"""What happens when the record of a backup is imported.

    creating --(the repository has it)--> available
             --(it has not)--> error

Nothing is done in the repository, so there is nothing to take back.
"""

from backups import contents
from backups.models import Backup
from backups.repositories import repository_queue
from storage_project.operations.flow import advance_if_possible
from storage_project.operations.messages import StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run

pipeline = Pipeline("backup.import", model=Backup)


@pipeline.validate
def validate(run: Run) -> None:
    run.require_status("creating")


@pipeline.schedule
def schedule(run: Run) -> None:
    backup: Backup = run.load()
    run.provision_queue = repository_queue(backup.container)


@pipeline.provision
def provision(run: Run) -> None:
    backup: Backup = run.load()
    with contents.told_by(backup.container):
        contents.require_there(backup)


@pipeline.report
def report(run: Run) -> None:
    with run.commit():
        advance_if_possible(run.reference, "created", operation=run.operation)


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    advance_if_possible(
        run.reference,
        "fail_create",
        operation=run.operation,
        note=error.sentence,
        fail_reason=error.sentence,
    )
