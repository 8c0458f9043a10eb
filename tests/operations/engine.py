"""The engine in one process: the real dispatcher, chains and tasks, on queues in memory.

Only the broker and the passing of time are replaced. A worker dies by `Killed`, which nothing in
the engine catches: its lease stays behind, and what it had not committed is gone.
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any
from unittest.mock import patch

from django.db.models.functions import Now

from storage_project.operations import patience
from storage_project.operations.dispatcher import Dispatcher
from storage_project.operations.models import Operation
from storage_project.operations.states import ACTIVE
from storage_project.operations.tasks import TASKS, OperationFailed, chain_of
from tests.operations.threads import at_once

MOST_ROUNDS = 100
LONG_AGO = timedelta(days=1)


# A link of a chain, as the message carries it: its task, args and options.
Link = dict[str, Any]


class Killed(BaseException):
    """The worker dies here."""


@dataclass(frozen=True)
class Bell:
    """A message: the task to run now, and those that follow it in its chain."""

    queue: str
    task: str
    operation_id: str
    rest: list[Link]


@contextmanager
def in_the_future() -> Iterator[None]:
    """Have the dispatcher's patience run on a clock that is far ahead."""
    with patch.object(patience, "monotonic", lambda: monotonic() + LONG_AGO.total_seconds()):
        yield


class Engine:
    """The dispatcher and the workers."""

    def __init__(self) -> None:
        self.dispatcher = Dispatcher(self.ring, lambda queue: len(self.queues[queue]))
        self.queues: defaultdict[str, deque[Bell]] = defaultdict(deque)
        self.sent: list[Bell] = []
        self.copies = 1
        self.echo = False
        self._deaf_to: set[str] = set()

    def ring(self, operation: Operation) -> None:
        """Send an operation's chain, as `apply_async` does."""
        signature = chain_of(operation)
        self._send(getattr(signature, "tasks", [signature]))

    def _send(self, links: Sequence[Link]) -> None:
        first, *rest = links
        bell = Bell(first["options"]["queue"], first["task"], first["args"][0], rest)
        if bell.task not in self._deaf_to:
            self.queues[bell.queue].extend([bell] * self.copies)
            self.sent.append(bell)

    def deliver(self, bell: Bell) -> None:
        """Let a worker of the bell's queue take it, and send what follows in the chain."""
        task = TASKS[bell.task]
        # Celery carries the rest of a chain backwards.
        rest: list[Link] | None = deepcopy(bell.rest[::-1])
        task.push_request(delivery_info={"routing_key": bell.queue}, chain=rest)
        try:
            task.run(bell.operation_id)
            rest = task.request.chain
        except (OperationFailed, Killed):
            rest = None
        finally:
            task.pop_request()
        if rest:
            self._send(rest[::-1])

    def deliver_again(self) -> None:
        """Let every message ever sent come once more, in its old queue."""
        for bell in [*self.sent]:
            self.deliver(bell)

    def look(self, *, workers: int = 1) -> None:
        """Let the dispatcher look around once, and the workers empty their queues."""
        self.dispatcher.end_overdue()
        self.dispatcher.ring_due()
        if workers == 1:
            self._work()
        else:
            for failure in filter(None, at_once(*[self._work] * workers)):
                raise failure

    def _work(self) -> None:
        while bell := self._next_bell():
            self.deliver(bell)
            if self.echo:
                self.deliver_again()

    def _next_bell(self) -> Bell | None:
        for queue in [*self.queues.values()]:
            with suppress(IndexError):
                return queue.popleft()
        return None

    def run(self, *, workers: int = 1) -> None:
        """Go on until every operation has ended. Several workers are threads."""
        for _ in range(MOST_ROUNDS):
            self.look(workers=workers)
            active = Operation.objects.filter(status__in=ACTIVE)
            if not active.exists():
                return
            self.pass_time()
        raise AssertionError(f"does not end: {[*active.values('kind', 'step', 'timeline')]}")

    def pass_time(self) -> None:
        """Let every pause be over, and every lease that no living worker extends."""
        Operation.objects.filter(status__in=ACTIVE).update(ring_after=Now() - LONG_AGO)
        Operation.objects.filter(lease_until__isnull=False).update(lease_until=Now() - LONG_AGO)

    def pass_patience(self) -> None:
        """Let more time pass than anybody waits for a worker, and let the dispatcher see it."""
        self.pass_time()
        Operation.objects.filter(status__in=ACTIVE).update(deadline_at=Now() - LONG_AGO)
        with in_the_future():
            self.dispatcher.end_overdue()

    @contextmanager
    def deaf_to(self, task: str) -> Iterator[None]:
        """Lose every message of one task."""
        before = self._deaf_to
        self._deaf_to = before | {task}
        try:
            yield
        finally:
            self._deaf_to = before
