"""What happens when it is tested whether a backup can be restored.

    it is restored into a scratch file, read back and compared --> a dated report

Its status stays what it is, and nothing waits for it, as when it is verified. The scratch file is
on the machine that reaches the repository, and goes however this ends.
"""

from backups import contents
from backups.models import Backup
from backups.pipelines.verify_backup import require_readable
from backups.repositories import repository_queue
from backups.upkeep import trials, verifying
from storage_project.operations.messages import StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run

pipeline = Pipeline("backup.test", model=Backup, exclusive=False)


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
        trials.test(backup, run)


@pipeline.report
def report(run: Run) -> None:
    backup: Backup = run.load()
    with run.commit():
        verifying.keep_finding(backup, run)
        trials.keep_report(backup, run)


@pipeline.undo
def undo(run: Run) -> None:
    trials.forget_scratch(run.operation.pk)


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    """The backup is what it was, and no more is known of it."""
