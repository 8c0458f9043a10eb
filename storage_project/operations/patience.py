"""When to stop hoping that a worker comes."""

from time import monotonic

from django.db.models.functions import Now

from storage_project.operations.models import Operation
from storage_project.operations.run import PATIENCE_S
from storage_project.operations.states import Status


class Patience:
    """How long each queue has been silent, as far as one dispatcher has seen.

    A queue is silent while no worker runs a step that came by it. So who waits behind long work is
    not given up, and nobody is for the time when the dispatcher itself, the broker or the database
    was away.
    """

    def __init__(self) -> None:
        self.begin_again()

    def begin_again(self) -> None:
        """Forget how long anybody was silent: nobody could have come."""
        self._began_at = monotonic()
        self._heard_at: dict[str, float] = {}

    def listen(self) -> None:
        """Note which queues have a worker at work."""
        at_work = Operation.objects.filter(
            finished_at__isnull=True, status=Status.RUNNING, lease_until__gt=Now()
        )
        for operation in at_work.only("step", "provision_queue"):
            self._heard_at[operation.queue] = monotonic()

    def is_over(self, queue: str) -> bool:
        """Whether the queue has been silent for so long that nobody serves it."""
        return monotonic() - self._heard_at.get(queue, self._began_at) >= PATIENCE_S
