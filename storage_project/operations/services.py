"""Opening and cancelling operations: what the services of the apps above call."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from storage_project.api.faults import Conflict
from storage_project.identity.caller import Caller
from storage_project.operations.flow import Flowing, StateConflict
from storage_project.operations.models import Message, Operation
from storage_project.operations.pipeline import pipelines
from storage_project.operations.run import PATIENCE_S
from storage_project.operations.states import ACTIVE
from storage_project.operations.wakeup import ring_the_dispatcher


def open_operation(
    *,
    kind: str,
    resource: Flowing,
    project_id: str,
    caller: Caller,
    waits: bool = False,
    waits_for: Iterable[Operation] = (),
    touches: Iterable[Flowing] = (),
    **arguments: Any,
) -> Operation:
    """Write the operation that will do `kind` to `resource`, in the caller's transaction.

    That row is the promise of a 202: from its commit on, the request will end, whatever dies.
    Raises `StateConflict` while another operation is still at work on the resource, or on what this
    one `touches` besides; unless it `waits` until those have ended. It also `waits_for` these.
    Those that only read are in the way of each other alone.
    """
    return _open(
        kind,
        resource,
        project_id=project_id,
        user_id=caller.user_id,
        request_id=caller.request_id,
        waits=waits,
        waits_for=waits_for,
        touches=touches,
        arguments=arguments,
    )


def go_on_with(kind: str, resource: Flowing, *, after: Operation, **arguments: Any) -> Operation:
    """Write the operation that begins when `after` ends, in the transaction in which that does.

    It is the same user's request still: one that takes work in several places, one after another.
    """
    return _open(
        kind,
        resource,
        project_id=after.project_id,
        user_id=after.user_id,
        request_id=after.request_id,
        waits=True,
        waits_for=(),
        touches=(),
        arguments=arguments,
    )


def _open(
    kind: str,
    resource: Flowing,
    *,
    project_id: str,
    user_id: str,
    request_id: str,
    waits: bool,
    waits_for: Iterable[Operation],
    touches: Iterable[Flowing],
    arguments: dict[str, Any],
) -> Operation:
    assert transaction.get_connection().in_atomic_block, "the operation commits with its resource"
    concerned = {each.pk: each for each in (resource, *touches)}
    others = active_operations(*concerned).filter(kind__in=_in_the_way_of(kind))
    if waits:
        arguments["waits_for"] = sorted({str(other.pk) for other in (*others, *waits_for)})
    elif other := others.first():
        busy = concerned[other.resource_id]
        raise StateConflict(
            f"{busy.flow.resource.capitalize()} {busy.pk} is {busy.status}: it is still being "
            f"worked on, by {other.kind} {other.pk}.",
            busy.flow.refusal_code,
        )
    operation = Operation.objects.create(
        kind=pipelines()[kind].kind,
        project_id=project_id,
        user_id=user_id,
        request_id=request_id,
        resource_type=resource.flow.resource,
        resource_id=resource.pk,
        arguments=arguments,
        deadline_at=Now() + timedelta(seconds=PATIENCE_S),
    )
    ring_the_dispatcher()
    return operation


def _in_the_way_of(kind: str) -> list[str]:
    exclusive = pipelines()[kind].exclusive
    return [each.kind for each in pipelines().values() if each.exclusive is exclusive]


def active_operations(*resource_ids: UUID) -> "QuerySet[Operation]":
    """The operations on these resources that have not ended."""
    return Operation.objects.filter(resource_id__in=resource_ids, status__in=ACTIVE)


def cancel_operation(*, operation: Operation) -> None:
    """Ask for an operation to be stopped and taken back; 409 when it is too late for that."""
    if not operation.active:
        raise Conflict(f"Operation {operation.pk} has ended: {operation.status}.")
    if not pipelines()[operation.kind].may_cancel(operation.step, operation.attempts):
        raise Conflict(
            f"Operation {operation.pk} ({operation.kind}) cannot be cancelled any more: its "
            f"{operation.step} step has begun, and it has no way back."
        )
    with transaction.atomic():
        changed = Operation.objects.filter(pk=operation.pk, status__in=ACTIVE).update(
            cancel_requested=True, updated_at=Now()
        )
        if not changed:
            raise Conflict(f"Operation {operation.pk} has ended.")
        ring_the_dispatcher()


def delete_message(*, message: Message) -> None:
    """Forget a message that its reader has dealt with."""
    message.delete()
