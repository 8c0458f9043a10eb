"""The dispatcher rings what is due, and neither floods a queue nor forgets or gives up too soon."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connections, transaction
from django.db.models import F
from django.db.models.functions import Now
from kombu.exceptions import OperationalError as BrokerError

from backups.models import Schedule
from backups.services.schedules import create_schedule
from storage_project.management.commands.dispatch import CHORES
from storage_project.operations import dispatcher as dispatching
from storage_project.operations.dispatcher import (
    BATCH,
    DEEPEST_FOR_FIRST_RINGS,
    DEEPEST_FOR_LATER_RINGS,
    Chore,
    Dispatcher,
)
from storage_project.operations.messages import Code
from storage_project.operations.models import Operation
from storage_project.operations.pipeline import pipelines
from storage_project.operations.services import cancel_operation
from storage_project.operations.states import Status, Step
from storage_project.operations.wakeup import ring_the_dispatcher
from tests.factories import OperationFactory
from tests.operations.consistency import require_consistent
from tests.operations.engine import Engine, in_the_future
from tests.operations.threads import at_once
from tests.operations.world import World
from volumes.services.volumes import extend_volume

AGO = timedelta(seconds=1)
FOREVER_S = 60.0


class Bells:
    """Rings by counting; the queues are as deep as told."""

    def __init__(self) -> None:
        self.rung: list[UUID] = []
        self.depths: Counter[str] = Counter()
        self.away_after: int | None = None
        self.dispatcher = Dispatcher(self.ring, self.depths.__getitem__)

    def ring(self, operation: Operation) -> None:
        if self.away_after is not None and len(self.rung) >= self.away_after:
            raise BrokerError("connection refused")
        self.rung.append(operation.pk)


@pytest.fixture
def bells() -> Bells:
    return Bells()


def opened(number: int = 1, **values: object) -> list[Operation]:
    return OperationFactory.create_batch(number, **values)


def make_due() -> None:
    Operation.objects.update(ring_after=Now() - AGO)


@pytest.mark.django_db
def test_rings_once_and_then_at_growing_intervals(bells: Bells) -> None:
    (operation,) = opened()
    pauses = []
    for times in range(1, 9):
        make_due()
        bells.dispatcher.ring_due()
        bells.dispatcher.ring_due()
        assert len(bells.rung) == times
        pause = Operation.objects.annotate(pause=F("ring_after") - Now()).get(pk=operation.pk).pause
        pauses.append(round(pause.total_seconds()))
    assert pauses == [3, 6, 12, 24, 48, 60, 60, 60]


@pytest.mark.django_db
@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
def test_does_not_ring_what_has_ended(bells: Bells, status: Status) -> None:
    opened(status=status, finished_at=Now())
    bells.dispatcher.ring_due()
    assert not bells.rung


@pytest.mark.django_db
def test_does_not_ring_what_a_worker_holds(bells: Bells) -> None:
    opened(status=Status.RUNNING, lease_until=Now() + timedelta(minutes=1))
    (dead,) = opened(status=Status.RUNNING, lease_until=Now() - AGO)
    bells.dispatcher.ring_due()
    assert bells.rung == [dead.pk]


@pytest.mark.django_db(transaction=True)
def test_of_two_dispatchers_only_one_rings() -> None:
    operations = opened(50)
    both = [Bells(), Bells()]
    at_once(*(each.dispatcher.ring_due for each in both))
    rung = [pk for each in both for pk in each.rung]
    assert sorted(rung) == sorted(operation.pk for operation in operations)


@pytest.mark.django_db
def test_a_deep_queue_gets_no_more_bells(bells: Bells) -> None:
    opened(DEEPEST_FOR_LATER_RINGS + 5, rings=1)
    opened(3)
    bells.depths["control"] = DEEPEST_FOR_FIRST_RINGS - 2
    bells.dispatcher.ring_due()
    assert len(bells.rung) == 2
    assert not Operation.objects.filter(pk__in=bells.rung, rings__gt=1).exists()


@pytest.mark.django_db
def test_who_was_rung_before_waits_for_a_shallow_queue(bells: Bells) -> None:
    opened(DEEPEST_FOR_LATER_RINGS + 5, rings=1)
    bells.dispatcher.ring_due()
    assert len(bells.rung) == DEEPEST_FOR_LATER_RINGS
    make_due()
    bells.rung.clear()
    bells.depths["control"] = DEEPEST_FOR_LATER_RINGS
    bells.dispatcher.ring_due()
    assert not bells.rung


@pytest.mark.django_db
def test_who_waits_for_a_deep_queue_does_not_stand_before_other_queues(bells: Bells) -> None:
    placed = {"step": Step.PROVISION, "ring_after": Now() - AGO}
    opened(BATCH + 50, provision_queue="volume.here@slow", **placed)
    (other,) = opened(provision_queue="volume.here@fast")
    Operation.objects.filter(pk=other.pk).update(step=Step.PROVISION, ring_after=Now())
    bells.depths["volume.here@slow"] = DEEPEST_FOR_FIRST_RINGS
    while bells.dispatcher.ring_due() == BATCH:
        pass
    assert bells.rung == [other.pk]


@pytest.mark.django_db
@pytest.mark.parametrize("sent", [0, 1, 3])
def test_what_could_not_be_sent_is_due_again_at_once(bells: Bells, sent: int) -> None:
    operations = opened(4)
    bells.away_after = sent
    with pytest.raises(BrokerError):
        bells.dispatcher.ring_due()
    bells.away_after = None
    bells.dispatcher.ring_due()
    assert sorted(bells.rung) == sorted(operation.pk for operation in operations)
    assert {*Operation.objects.values_list("rings", flat=True)} == {1}


def test_ends_what_was_cancelled_while_it_waited(world: World) -> None:
    with world.engine.deaf_to("volume.create.provision"):
        world.request_volume()
        world.engine.look()
        cancel_operation(operation=Operation.objects.get())
        world.engine.look()
    assert Operation.objects.get().status == Status.CANCELLED
    require_consistent()


def test_ends_what_nobody_comes_for(world: World) -> None:
    with world.engine.deaf_to("volume.create.validate"):
        world.request_volume()
        world.engine.look()
        world.engine.pass_patience()
    assert Operation.objects.get().error_code == Code.BACKEND_SILENT
    require_consistent()


def overdue(world: World, task: str) -> None:
    """Bring about an operation that has waited for longer than anybody does."""
    with world.engine.deaf_to(task):
        world.request_volume()
        world.engine.look()
    Operation.objects.update(deadline_at=Now() - AGO)


def test_after_an_outage_everybody_has_time_again(world: World) -> None:
    """Nobody could come while the dispatcher was away, and its absence is nobody's fault."""
    overdue(world, "volume.create.provision")
    restarted = Engine()
    restarted.run()
    assert Operation.objects.get().status == Status.SUCCEEDED


def test_who_waits_behind_long_work_is_not_given_up(world: World) -> None:
    overdue(world, "volume.create.provision")
    waiting = Operation.objects.get()
    OperationFactory(
        status=Status.RUNNING,
        step=Step.PROVISION,
        provision_queue=waiting.provision_queue,
        lease_until=Now() + timedelta(minutes=1),
    )
    with in_the_future():
        world.engine.dispatcher.end_overdue()
        waiting.refresh_from_db()
        assert waiting.status == Status.PENDING
    assert not Operation.objects.filter(deadline_at__lte=Now()).exists()


def test_one_that_cannot_be_ended_does_not_stop_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defective(*_: object) -> None:
        raise KeyError("a defect")

    volume = world.volume()
    extend = pipelines()["volume.extend"]
    with world.engine.deaf_to("volume.extend.validate"):
        extend_volume(volume=volume, new_size_gib=2, caller=world.caller)
        world.engine.look()
    with world.engine.deaf_to("volume.create.validate"):
        world.request_volume()
        world.engine.look()
        Operation.objects.update(cancel_requested=True)
        with monkeypatch.context() as patched:
            patched.setattr(extend, "on_failed", defective)
            world.engine.dispatcher.end_overdue()
    assert Operation.objects.get(kind="volume.extend").status == Status.RUNNING
    assert Operation.objects.filter(kind="volume.create").latest("created_at").status == (
        Status.CANCELLED
    )
    world.engine.run()
    require_consistent()


@pytest.fixture(autouse=True)
def own_home(settings: Any, tmp_path: Path) -> None:
    """Where a dispatcher listens is named after its home, and other tests run beside these."""
    settings.STORAGE_HOME = tmp_path


@contextmanager
def running(dispatcher: Dispatcher) -> Iterator[None]:
    """Let it run in a thread of its own."""

    def run() -> None:
        try:
            dispatcher.run()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        dispatcher.stopping.set()
        with transaction.atomic():
            ring_the_dispatcher()
        thread.join(timeout=10)
        assert not thread.is_alive()


@pytest.mark.django_db(transaction=True)
def test_is_woken_by_a_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatching, "LOOK_EVERY_S", FOREVER_S)
    rung = threading.Semaphore(0)
    dispatcher = Dispatcher(lambda _: rung.release(), lambda _: 0)
    opened()
    with running(dispatcher):
        assert rung.acquire(timeout=10)  # what was there before, and now it sleeps
        for _ in range(5):
            with transaction.atomic():
                opened()
                ring_the_dispatcher()
            assert rung.acquire(timeout=10)


@pytest.mark.django_db(transaction=True)
def test_goes_on_when_the_broker_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatching, "LOOK_EVERY_S", 0.01)
    rung = threading.Semaphore(0)
    refusals = iter([BrokerError("gone"), BrokerError("gone")])

    def ring(_: Operation) -> None:
        if refusal := next(refusals, None):
            raise refusal
        rung.release()

    opened()
    with running(Dispatcher(ring, lambda _: 0)):
        assert rung.acquire(timeout=10)


@pytest.mark.django_db(transaction=True)
def test_each_chore_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatching, "LOOK_EVERY_S", 0.01)
    done: Counter[str] = Counter()
    often = threading.Semaphore(0)

    def do_often() -> None:
        done["often"] += 1
        often.release()

    chores = [Chore(do_often, every_s=0), Chore(lambda: done.update(["rarely"]), every_s=FOREVER_S)]
    with running(Dispatcher(lambda _: None, lambda _: 0, chores)):
        for _ in range(5):
            assert often.acquire(timeout=10)
    assert done["often"] >= 5
    assert done["rarely"] == 1


@pytest.mark.django_db(transaction=True)
def test_a_slot_comes_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dispatcher as `manage.py dispatch` runs it begins a slot, and its backup."""
    monkeypatch.setattr(dispatching, "LOOK_EVERY_S", 0.01)
    rung = threading.Semaphore(0)
    volume = world.volume()
    schedule = create_schedule(
        caller=world.caller, name="nightly", cron="* * * * *", volume=volume, force=False
    )
    assert schedule.next_slot is not None
    Schedule.objects.update(next_slot=schedule.next_slot - timedelta(minutes=1))
    with running(Dispatcher(lambda _: rung.release(), lambda _: 0, CHORES)):
        assert rung.acquire(timeout=10)
    assert Operation.objects.filter(kind="backup.create").count() == 1
