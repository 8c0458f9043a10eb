"""Project-scoped reads of operations, their timelines, and messages."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from storage_project.api.lookup import get_by_uuid
from storage_project.identity.caller import Caller
from storage_project.operations.models import Message, Operation


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of a timeline: a go at a step has ended, or a status has moved."""

    at: datetime
    event: str  # "step" or "status"
    step: str
    note: str
    # A step's end: how, at which attempt, by whom.
    outcome: str | None = None
    attempt: int | None = None
    worker: str | None = None
    # A status's move.
    was: str | None = None
    became: str | None = None


def operations_of(caller: Caller, *, all_projects: bool = False) -> "QuerySet[Operation]":
    """The operations of the caller's project, or of all."""
    if all_projects:
        return Operation.objects.all()
    return Operation.objects.filter(project_id=caller.project_id)


def get_operation(caller: Caller, operation_id: UUID | str) -> Operation:
    """One operation with its transitions; an admin's may be of any project. 404 otherwise."""
    operations = operations_of(caller, all_projects=caller.is_admin)
    return get_by_uuid(operations.prefetch_related("transitions"), "Operation", operation_id)


def timeline_of(operation: Operation) -> list[Entry]:
    """What happened, in order: the ends of its steps and the moves of its resource's status."""
    steps = (
        Entry(
            at=datetime.fromisoformat(event["at"]),
            event="step",
            step=event["step"],
            outcome=event["outcome"],
            attempt=event["attempt"],
            worker=event["worker"],
            note=event["note"],
        )
        for event in operation.timeline
    )
    moves = (
        Entry(
            at=transition.at,
            event="status",
            step=transition.step,
            was=transition.was,
            became=transition.became,
            note=transition.note,
        )
        for transition in operation.transitions.all()
    )
    return sorted((*steps, *moves), key=_in_order)


def _in_order(entry: Entry) -> tuple[datetime, bool]:
    """By the millisecond, which is all that is kept of a step's end; its own moves come before."""
    to_the_ms = entry.at.replace(microsecond=entry.at.microsecond // 1000 * 1000)
    return to_the_ms, entry.event == "step"


def messages_of(caller: Caller, *, all_projects: bool = False) -> "QuerySet[Message]":
    """What the caller's project has been told, or what all have."""
    if all_projects:
        return Message.objects.all()
    return Message.objects.filter(project_id=caller.project_id)


def get_message(caller: Caller, message_id: UUID | str) -> Message:
    """One message; an admin's may be of any project. 404 otherwise."""
    messages = messages_of(caller, all_projects=caller.is_admin)
    return get_by_uuid(messages, "Message", message_id)
