"""The timeline of an operation as its page shows it: line by line, from request to end."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from django.utils.safestring import SafeString

from storage_project.console.columns import Tone, badge, duration
from storage_project.operations.admin.resources import resource_badge
from storage_project.operations.models import Operation, Transition
from storage_project.operations.runner import Outcome
from storage_project.operations.selectors import Entry, timeline_of
from storage_project.operations.states import Status

OUTCOME_TONES: dict[str, Tone] = {
    Outcome.DONE: Tone.GOOD,
    Outcome.LATER: Tone.WARN,
    Outcome.UNDO: Tone.WARN,
    Outcome.MOVED: Tone.WARN,
    Outcome.CANCELLED: Tone.WARN,
    Outcome.FAILED: Tone.BAD,
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line. `span` is the time since the line before; `by` says who, where that is known."""

    at: datetime
    tone: Tone
    title: str
    badges: tuple[SafeString, ...] = ()
    by: str = ""
    note: str = ""
    span: str = ""

    @property
    def clock(self) -> str:
        return f"{self.at:%H:%M:%S.%f}"[:-3]


def lines_of(operation: Operation) -> list[Line]:
    """The request, every end of a step and move of a status, and what it does now."""
    lines: list[Line] = []
    last = operation.created_at
    for line in _lines(operation):
        seconds = max(0.0, (line.at - last).total_seconds())
        lines.append(replace(line, span=f"+ {duration(seconds)}" if lines else ""))
        last = line.at
    return lines


def _lines(operation: Operation) -> Iterator[Line]:
    yield Line(
        at=operation.created_at, tone=Tone.QUIET, title="accepted", note=operation.request_id
    )
    for entry in sorted(timeline_of(operation), key=_order):
        if entry.event == "step":
            yield _step(entry)
        else:
            line = move_line(entry, operation.resource_type)
            # The step that moved it says the same.
            yield replace(line, note="" if line.note == operation.error else line.note)
    if operation.active:
        yield _now(operation)


def _order(entry: Entry) -> tuple[datetime, bool]:
    """A step moves statuses just before it ends, and its end is known to the millisecond only."""
    return entry.at.replace(microsecond=entry.at.microsecond // 1000 * 1000), entry.event == "step"


def _step(entry: Entry) -> Line:
    outcome = entry.outcome or ""
    tone = OUTCOME_TONES.get(outcome, Tone.QUIET)
    return Line(
        at=entry.at,
        tone=tone,
        title=entry.step,
        badges=(badge(outcome, tone),),
        by=_by(entry.worker or "", entry.attempt or 0),
        note=entry.note,
    )


def move_line(move: Entry | Transition, resource_type: str) -> Line:
    """The line of one move of a status."""
    moved = [status for status in (move.was, move.became) if status]
    return Line(
        at=move.at,
        tone=Tone.QUIET,
        title=resource_type,
        badges=tuple(resource_badge(resource_type, status) for status in moved),
        note=move.note,
    )


def _now(operation: Operation) -> Line:
    if operation.status == Status.RUNNING:
        worker = operation.owner.partition("/")[0]
        return Line(
            at=operation.updated_at,
            tone=Tone.BUSY,
            title=operation.step,
            badges=(badge("runs", Tone.BUSY),),
            by=_by(worker, operation.attempts),
            note=operation.phase,
        )
    return Line(
        at=operation.updated_at,
        tone=Tone.BUSY,
        title=operation.step,
        badges=(badge("waits for a worker", Tone.QUIET),),
        note=f"queue {operation.queue}",
    )


def _by(worker: str, attempt: int) -> str:
    return f"{worker}, attempt {attempt}" if attempt > 1 else worker
