"""Waiting a little for an operation, where the answer to a request is better with its outcome."""

from time import monotonic, sleep
from uuid import UUID

from django.db import transaction

from storage_project.operations.models import Operation

# Longer than anything that is done at once takes, and shorter than clients wait for an answer.
PATIENCE_S = 5.0
LOOK_EVERY_S = 0.02


def wait_for_latest(kind: str, resource_id: UUID) -> Operation | None:
    """The latest operation of a kind on this resource once it has ended, if within some seconds.

    None when it takes longer; the operation goes on all the same. None at once inside a
    transaction: what was asked for there begins only after it.
    """
    give_up_at = monotonic() + PATIENCE_S
    latest = Operation.objects.filter(kind=kind, resource_id=resource_id).order_by("-created_at")
    while not transaction.get_connection().in_atomic_block:
        operation = latest.first()
        if operation is None or not operation.active:
            return operation
        if monotonic() >= give_up_at:
            break
        sleep(LOOK_EVERY_S)
    return None
