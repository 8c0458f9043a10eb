"""Telling people something about a resource: a message, from the fixed list of codes."""

from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from storage_project.operations.messages import Code
from storage_project.operations.models import Message, Operation

MESSAGE_LIFETIME = timedelta(days=30)


def tell(
    operation: Operation,
    code: Code,
    sentence: str,
    *,
    level: str = "ERROR",
    about: tuple[str, UUID] | None = None,
    project_id: str | None = None,
) -> Message:
    """Write what an operation has to say, in the caller's transaction; by default about its own
    resource, to the project that asked for it."""
    resource_type, resource_id = about or (operation.resource_type, operation.resource_id)
    return Message.objects.create(
        project_id=operation.project_id if project_id is None else project_id,
        request_id=operation.request_id,
        operation=operation,
        resource_type=resource_type,
        resource_id=resource_id,
        code=code,
        level=level,
        sentence=sentence,
        expires_at=timezone.now() + MESSAGE_LIFETIME,
    )
