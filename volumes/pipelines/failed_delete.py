"""How a delete that did not succeed leaves the row, of a volume or of a snapshot."""

from storage_project.operations.flow import advance_if_possible
from storage_project.operations.messages import Code, StepError
from storage_project.operations.run import Run
from volumes.models import Snapshot, Volume


def end_failed_delete(run: Run, row: Volume | Snapshot, was: str, error: StepError) -> None:
    """Back to what it was if it was cancelled before it began; else it can be deleted again."""
    if error.code is Code.CANCELLED and was not in row.flow.transitional:
        advance_if_possible(row, "keep", to=was, operation=run.operation)
    else:
        advance_if_possible(row, "fail_delete", operation=run.operation, note=error.sentence)
