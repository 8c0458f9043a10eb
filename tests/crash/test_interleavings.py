"""Anything in any order: Hypothesis plays the clients, the messages, the deaths and the clock.

After every single event the accounts must be exact, and nothing be on a backend that nobody owns.
When the play is over, everything must end well.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress

import pytest
from django.db import transaction
from django.db.models import QuerySet
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from drivers.faults import Fault
from storage_project.api.faults import Fault as Refusal
from storage_project.operations.models import Operation
from storage_project.operations.pipeline import pipelines
from storage_project.operations.services import cancel_operation
from storage_project.operations.states import ACTIVE, Step
from tests.conftest import TWO_BACKENDS
from tests.crash.accidents import Moment, killed
from tests.operations.consistency import require_always, require_consistent
from tests.operations.engine import Engine
from tests.operations.world import World
from volumes.backends import open_backend
from volumes.models import Volume
from volumes.services.volumes import (
    delete_volume,
    extend_volume,
    force_delete_volume,
    reset_status,
)

BACKENDS = st.sampled_from(["one", "two"])
ACTS = st.sampled_from(["create_volume", "delete_volume", "extend_volume"])
FAULTS = st.sampled_from(
    [
        Fault.failure(),
        Fault.failure(retryable=True),
        Fault.lost_reply(retryable=False),
        Fault.lost_reply(),
    ]
)
# Which of what is there; `_pick` makes of it one that is.
WHICH = st.integers(min_value=0, max_value=7)


class Play(RuleBasedStateMachine):
    """One play, on a stage that is cleared afterwards."""

    world: World
    configure: Callable[[str], None]

    def __init__(self) -> None:
        super().__init__()
        self._stage = transaction.atomic()
        self._stage.__enter__()
        self.configure(TWO_BACKENDS)
        self.engine = Engine()

    def teardown(self) -> None:
        try:
            self.engine.run()
            require_consistent()
        finally:
            transaction.set_rollback(True)
            self._stage.__exit__(None, None, None)

    # Clients

    @rule(size_gib=st.integers(min_value=1, max_value=3))
    def create(self, size_gib: int) -> None:
        with suppress(Refusal):
            self.world.request_volume(size_gib=size_gib)

    @rule(which=WHICH)
    def extend(self, which: int) -> None:
        with self._volume(which) as volume:
            extend_volume(volume=volume, new_size_gib=volume.size_gib + 1, caller=self.world.caller)

    @rule(which=WHICH)
    def delete(self, which: int) -> None:
        with self._volume(which) as volume:
            delete_volume(volume=volume, caller=self.world.caller)

    @rule(which=WHICH)
    def force_delete(self, which: int) -> None:
        with self._volume(which) as volume:
            force_delete_volume(volume=volume, caller=self.world.caller)

    @rule(which=WHICH)
    def reset(self, which: int) -> None:
        with self._volume(which) as volume:
            reset_status(volume=volume, status="error", caller=self.world.caller)

    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        operation = _pick(Operation.objects.filter(status__in=ACTIVE), which)
        if operation:
            with suppress(Refusal):
                cancel_operation(operation=operation)

    # The engine

    @rule()
    def ring(self) -> None:
        self.engine.dispatcher.ring_due()

    @rule()
    def end_overdue(self) -> None:
        self.engine.dispatcher.end_overdue()

    @rule(which=WHICH, is_kept=st.booleans())
    def deliver(self, which: int, is_kept: bool) -> None:
        """Any message that waits, in any order; perhaps it comes again."""
        self._deliver(which, is_kept=is_kept)

    @rule(which=WHICH, moment=st.sampled_from(Moment), in_undo=st.booleans())
    def deliver_deadly(self, which: int, moment: Moment, in_undo: bool) -> None:
        """A message whose worker dies, at its step or when it takes that back."""
        self._deliver(which, moment=moment, in_undo=in_undo)

    def _deliver(
        self,
        which: int,
        *,
        is_kept: bool = False,
        moment: Moment | None = None,
        in_undo: bool = False,
    ) -> None:
        waiting = [queue for queue in self.engine.queues.values() if queue]
        if not waiting:
            return
        queue = waiting[which % len(waiting)]
        bell = queue[0]
        if not is_kept:
            queue.popleft()
        kind, _, name = bell.task.rpartition(".")
        step = Step.UNDO if in_undo and pipelines()[kind].on_undo else Step(name)
        with killed(kind, step, moment, surely=False) if moment else nullcontext():
            self.engine.deliver(bell)

    @rule(which=WHICH)
    def deliver_again(self, which: int) -> None:
        """A message that was delivered before, or lost."""
        if self.engine.sent:
            self.engine.deliver(self.engine.sent[which % len(self.engine.sent)])

    @rule()
    def lose_all_messages(self) -> None:
        self.engine.queues.clear()

    @rule()
    def work(self) -> None:
        self.engine.look()

    @rule()
    def pass_time(self) -> None:
        self.engine.pass_time()

    @rule()
    def pass_patience(self) -> None:
        self.engine.pass_patience()

    # The backends

    @rule(backend=BACKENDS, act=ACTS, fault=FAULTS)
    def fail_next(self, backend: str, act: str, fault: Fault) -> None:
        open_backend(backend).faults.next(act, fault)

    @invariant()
    def is_exact(self) -> None:
        require_always()

    @contextmanager
    def _volume(self, which: int) -> Iterator[Volume]:
        """One of the volumes, if there is any; what is refused changes nothing."""
        volume = _pick(Volume.objects.all(), which)
        if volume is None:
            volume = self.world.request_volume()
        with suppress(Refusal):
            yield volume


def _pick(rows: "QuerySet", which: int) -> object:
    rows = [*rows.order_by("created_at", "pk")]
    return rows[which % len(rows)] if rows else None


@pytest.mark.django_db
def test_everything_in_any_order_ends_well(world: World, configure: Callable[[str], None]) -> None:
    class PlayHere(Play):
        pass

    PlayHere.world = world
    PlayHere.configure = staticmethod(configure)
    run_state_machine_as_test(
        PlayHere,
        settings=settings(
            max_examples=20,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[*HealthCheck],
        ),
    )
