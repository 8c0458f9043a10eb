"""The floor: four tasks that do nothing, to be sent as a chain through the same workers."""

from celery import chain, shared_task
from celery.canvas import Signature

QUEUES = ("control", "control", "volume.box@memory", "control")


@shared_task(name="noop.step")
def step(number: str) -> None:
    """Do nothing."""


def chain_of_noops(number: int) -> Signature:
    """As the chain of an operation: the same queues in the same order, one short argument."""
    return chain(*(step.si(str(number)).set(queue=queue) for queue in QUEUES))
