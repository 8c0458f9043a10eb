"""What happens when a backup is verified.

    every block and page of it is read --> it is "ok", or "damaged", and where

Its status stays what it is, and nothing waits for it: it can be restored and deleted meanwhile.
What a killed worker has read of a large one need not be read again.
"""

from backups import contents
from backups.models import Backup
from backups.repositories import repository_queue
from backups.states import READABLE
from backups.upkeep import verifying
from storage_project.operations.messages import Code, StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run

pipeline = Pipeline("backup.verify", model=Backup, exclusive=False)


@pipeline.validate
def validate(run: Run) -> None:
    require_readable(run.load())


@pipeline.schedule
def schedule(run: Run) -> None:
    backup: Backup = run.load()
    run.provision_queue = repository_queue(backup.container)


@pipeline.provision
def provision(run: Run) -> None:
    backup: Backup = run.load()
    require_readable(backup)
    with contents.told_by(backup.container):
        verifying.verify(backup, run)


@pipeline.report
def report(run: Run) -> None:
    backup: Backup = run.load()
    with run.commit():
        verifying.keep_finding(backup, run)


@pipeline.undo
def undo(run: Run) -> None:
    """It has only read. That it may be stopped all the same is what this is for."""


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    """The backup is what it was, and no more is known of it."""


def require_readable(backup: Backup) -> None:
    """Raise `StepError` unless there still is something to read."""
    if backup.status not in READABLE:
        raise StepError(Code.CHANGED_MEANWHILE, f"Its status is {backup.status}.")
