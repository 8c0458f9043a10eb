"""The dispatcher and reconciler: rings what is due, frees what is stuck, ends what is overdue.

Any number of these run, on any number of hosts. New operations are rung within milliseconds of
their commit; an operation whose message was lost, or whose worker died, is rung again with a
growing pause, and only while its queue is shallow, so that a slow backend is not buried in bells.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from celery import Celery
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.db.models import F, Q
from django.db.models.functions import Now
from kombu.exceptions import OperationalError as BrokerError

from storage_project.operations.lease import FREE
from storage_project.operations.messages import Code, StepError
from storage_project.operations.models import Operation
from storage_project.operations.patience import Patience
from storage_project.operations.pipeline import pipelines
from storage_project.operations.returning import update_returning
from storage_project.operations.run import PATIENCE_S
from storage_project.operations.runner import give_up
from storage_project.operations.states import ACTIVE, Step
from storage_project.operations.wakeup import Wakeups

BATCH = 200
# A first ring is one message, an operation rung again may have more than one underway.
DEEPEST_FOR_FIRST_RINGS = 1_000
DEEPEST_FOR_LATER_RINGS = 20
FIRST_PAUSE_S = 3
LONGEST_PAUSE_S = 60
LOOK_EVERY_S = 1.0
TIDY_EVERY_S = 600.0

# Active, and held by nobody. `finished_at` says the same as the status, and has an index.
WAITING = FREE & Q(status__in=ACTIVE, finished_at__isnull=True)

log = structlog.get_logger(__name__)

Ring = Callable[[Operation], None]
Depth = Callable[[str], int]


@dataclass(frozen=True)
class Chore:
    """What dispatchers do besides, each of them every so often. Nobody is rung meanwhile, so one
    that has much to do does a part of it; and others may be at the same."""

    act: Callable[[], object]
    every_s: float = TIDY_EVERY_S


class Dispatcher:
    """The loop. `ring` sends an operation's chain, `depth` tells how many messages a queue holds;
    both raise `BrokerError` while the broker is away."""

    def __init__(self, ring: Ring, depth: Depth, chores: Sequence[Chore] = ()) -> None:
        self._ring = ring
        self._depth = depth
        self._due_at = dict.fromkeys(chores, 0.0)
        self._patience = Patience()
        self._look_at = 0.0
        self.stopping = threading.Event()

    def run(self) -> None:
        """Go on until `stopping` is set."""
        with closing(Wakeups()) as wakeups:
            while not self.stopping.is_set():
                self._take_a_turn(wakeups)

    def _take_a_turn(self, wakeups: Wakeups) -> None:
        try:
            close_old_connections()
            self._look_around()
            if self.ring_due() < BATCH:
                wakeups.wait(LOOK_EVERY_S)
        except BrokerError as error:
            self._sit_out("the broker is away", error)
        except (DatabaseError, InterfaceError) as error:
            self._sit_out("the database is away", error)

    def _sit_out(self, what: str, error: Exception) -> None:
        log.warning(what, error=str(error))
        self._patience.begin_again()
        self.stopping.wait(LOOK_EVERY_S)

    def _look_around(self) -> None:
        """What need not be looked at with every wake-up."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            self.end_overdue()
        for chore, due_at in self._due_at.items():
            if now >= due_at:
                self._due_at[chore] = now + chore.every_s
                chore.act()

    def ring_due(self) -> int:
        """Ring one batch of what is due; return how many rows were looked at."""
        due = list(
            Operation.objects.filter(WAITING, ring_after__lte=Now())
            .order_by("ring_after")
            .only("pk", "step", "provision_queue", "rings")[:BATCH]
        )
        allowed, deferred = self._within_depth(due)
        if deferred:
            # Out of the way of those behind them; the queue is looked at again then.
            Operation.objects.filter(pk__in=deferred).update(
                ring_after=Now() + timedelta(seconds=FIRST_PAUSE_S)
            )
        for rings, ids in allowed.items():
            self._ring_batch(rings, ids)
        return len(due)

    def _within_depth(self, due: list[Operation]) -> tuple[dict[int, list[UUID]], list[UUID]]:
        """Split into ids to ring, by how often they were rung, and ids whose queue is too deep."""
        depths: Counter[str] = Counter()
        for queue in {operation.queue for operation in due}:
            depths[queue] = self._depth(queue)
        allowed: dict[int, list[UUID]] = {}
        deferred: list[UUID] = []
        for operation in due:
            deepest = DEEPEST_FOR_LATER_RINGS if operation.rings else DEEPEST_FOR_FIRST_RINGS
            if depths[operation.queue] < deepest:
                depths[operation.queue] += 1
                allowed.setdefault(operation.rings, []).append(operation.pk)
            else:
                deferred.append(operation.pk)
        return allowed, deferred

    def _ring_batch(self, rings: int, ids: list[UUID]) -> None:
        """Mark, then send: of two dispatchers only one sends, and what it fails to is due again."""
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**rings)
        won = update_returning(
            Operation.objects.filter(WAITING, pk__in=ids, rings=rings, ring_after__lte=Now()),
            rings=F("rings") + 1,
            ring_after=Now() + timedelta(seconds=pause_s),
        )
        for position, operation in enumerate(won):
            try:
                self._ring(operation)
            except BrokerError:
                unsent = [left.pk for left in won[position:]]
                Operation.objects.filter(pk__in=unsent, rings=rings + 1).update(
                    rings=rings, ring_after=Now()
                )
                raise

    def end_overdue(self) -> None:
        """End what no worker came for in time, and what was cancelled while it waited."""
        self._patience.listen()
        waiting = Operation.objects.filter(WAITING)
        hopeful = []
        for operation in waiting.filter(deadline_at__lte=Now()).order_by("deadline_at")[:BATCH]:
            if self._patience.is_over(operation.queue):
                outcome = give_up(operation, StepError(Code.BACKEND_SILENT))
                log.warning("nobody came for it", operation=str(operation), outcome=outcome)
            else:
                hopeful.append(operation.pk)
        waiting.filter(pk__in=hopeful).update(deadline_at=Now() + timedelta(seconds=PATIENCE_S))
        cancelled = waiting.filter(~Q(step=Step.UNDO), cancel_requested=True)
        for operation in cancelled[:BATCH]:
            if pipelines()[operation.kind].may_cancel(operation.step, operation.attempts):
                give_up(operation, StepError(Code.CANCELLED))


def queue_depth(app: Celery) -> Depth:
    """How many messages wait in a queue, by passive declaration: on Redis and on RabbitMQ."""

    def depth(queue: str) -> int:
        with app.pool.acquire(block=True) as connection:
            try:
                return int(connection.default_channel.queue_declare(queue, passive=True)[1])
            except connection.channel_errors:
                return 0  # it has never had a message
            except connection.connection_errors as error:
                raise BrokerError(str(error)) from error

    return depth
