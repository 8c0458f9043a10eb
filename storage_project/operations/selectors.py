"""Project-scoped reads of operations, their timelines, and messages."""

from uuid import UUID

from django.db.models import QuerySet

from storage_project.api.faults import NotFound
from storage_project.identity.caller import Caller
from storage_project.operations.models import Message, Operation


def operations_of(caller: Caller, *, all_projects: bool = False) -> "QuerySet[Operation]":
    """The operations of the caller's project, or of all."""
    if all_projects:
        return Operation.objects.all()
    return Operation.objects.filter(project_id=caller.project_id)


def get_operation(caller: Caller, operation_id: UUID) -> Operation:
    """One operation with its transitions; an admin's may be of any project. 404 otherwise."""
    operations = operations_of(caller, all_projects=caller.is_admin)
    operation = operations.prefetch_related("transitions").filter(pk=operation_id).first()
    if operation is None:
        raise NotFound("Operation", operation_id)
    return operation


def messages_of(caller: Caller) -> "QuerySet[Message]":
    """What the caller's project has been told, newest first."""
    return Message.objects.filter(project_id=caller.project_id)
