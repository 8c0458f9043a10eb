"""The words of an operation's life."""

from django.db import models


class Status(models.TextChoices):
    """pending ⇄ running, until it ends in one of the other three."""

    PENDING = "pending"  # the next step waits for a worker
    RUNNING = "running"  # a worker holds the lease
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE = (Status.PENDING, Status.RUNNING)


class Step(models.TextChoices):
    """The four steps that every operation takes, and the one that takes a failed one back."""

    VALIDATE = "validate"
    SCHEDULE = "schedule"
    PROVISION = "provision"
    REPORT = "report"
    UNDO = "undo"
    DONE = "done"


STEPS = (Step.VALIDATE, Step.SCHEDULE, Step.PROVISION, Step.REPORT)
# The steps after which nothing has happened on the backend yet.
UNTOUCHED = frozenset({Step.VALIDATE, Step.SCHEDULE})
# The steps that run where the resource is; the others run on the control queue.
PLACED = frozenset({Step.PROVISION, Step.UNDO})
CONTROL_QUEUE = "control"
# One for each host: long copies, so that short work never waits behind them.
DATA_QUEUES = "data."
# One for each host with hypervisors.
COMPUTE_QUEUES = "compute."


def following(step: Step) -> Step:
    """The step after `step`; after the last, DONE."""
    return STEPS[STEPS.index(step) + 1] if step != STEPS[-1] else Step.DONE
