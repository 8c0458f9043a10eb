"""Answers that tell how an operation ended, where clients do not look again."""

from uuid import UUID

from storage_project.api.faults import BadRequest, ServiceUnavailable
from storage_project.operations.messages import Code
from storage_project.operations.states import Status
from storage_project.operations.waiting import wait_for_latest

# What the client has to change; the rest may be better at another time.
OF_THE_REQUEST = frozenset({Code.NO_EXPORT, Code.CHANGED_MEANWHILE})


def require_no_failure(kind: str, resource_id: UUID) -> None:
    """Wait a little for the latest operation of a kind on it; raise the fault that says why it
    failed.

    Nothing is known of one that takes longer.
    """
    operation = wait_for_latest(kind, resource_id)
    if operation is None or operation.status == Status.SUCCEEDED:
        return
    fault = BadRequest if operation.error_code in OF_THE_REQUEST else ServiceUnavailable
    raise fault(operation.error)
