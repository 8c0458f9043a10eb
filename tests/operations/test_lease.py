"""Who may run an operation: one at a time, and only as long as it is alive."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from django.db.models.functions import Now

from storage_project.operations import lease
from storage_project.operations.lease import Heartbeat, claim, owner, release_dead_leases
from storage_project.operations.messages import Code, StepError
from storage_project.operations.models import Operation
from storage_project.operations.pipeline import pipelines
from storage_project.operations.run import Fenced, Run
from storage_project.operations.states import Status, Step
from tests.factories import OperationFactory, VolumeFactory
from tests.operations.threads import at_once
from volumes.models import Volume

AGO = timedelta(seconds=1)


def opened(**values: object) -> Operation:
    volume = VolumeFactory(status="creating", pool=None)
    return OperationFactory(
        kind="volume.create", resource_type="volume", resource_id=volume.pk, **values
    )


def take(operation: Operation, step: Step = Step.VALIDATE) -> Run:
    claimed = claim(str(operation.pk), step)
    assert claimed is not None
    return pipelines()[claimed.kind].take_up(claimed)


def lapse(operation: Operation) -> None:
    Operation.objects.filter(pk=operation.pk).update(lease_until=Now() - AGO)


@pytest.mark.django_db(transaction=True)
def test_of_eight_claims_at_once_exactly_one_wins() -> None:
    operation = opened()
    outcomes = at_once(*[partial(claim, str(operation.pk), Step.VALIDATE)] * 8)
    assert [type(outcome) for outcome in outcomes].count(Operation) == 1
    assert outcomes.count(None) == 7
    operation.refresh_from_db()
    assert (operation.fence, operation.attempts, operation.owner) == (1, 1, owner())


@pytest.mark.django_db(transaction=True)
def test_of_eight_claims_of_a_lapsed_lease_exactly_one_wins() -> None:
    operation = opened()
    take(operation)
    lapse(operation)
    outcomes = at_once(*[partial(claim, str(operation.pk), Step.VALIDATE)] * 8)
    assert outcomes.count(None) == 7
    operation.refresh_from_db()
    assert (operation.fence, operation.attempts) == (2, 2)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "step"),
    [
        ({}, Step.SCHEDULE),
        ({"step": Step.SCHEDULE}, Step.VALIDATE),
        ({"status": Status.SUCCEEDED}, Step.VALIDATE),
        ({"status": Status.FAILED}, Step.VALIDATE),
        ({"status": Status.CANCELLED}, Step.VALIDATE),
    ],
)
def test_is_not_to_be_had(values: dict[str, object], step: Step) -> None:
    assert claim(str(opened(**values).pk), step) is None


@pytest.mark.django_db
def test_a_placed_step_is_only_to_be_had_in_its_queue() -> None:
    operation = opened(step=Step.PROVISION, provision_queue="volume.here@one")
    assert claim(str(operation.pk), Step.PROVISION, "volume.here@two") is None
    assert claim(str(operation.pk), Step.PROVISION, "volume.here@one") is not None


@pytest.mark.django_db
def test_a_claim_tells_what_the_row_says() -> None:
    operation = opened(arguments={"size": 1}, notes={"a": ["b"]}, timeline=[{"at": "now"}])
    claimed = claim(str(operation.pk), Step.VALIDATE)
    assert claimed is not None
    stored = Operation.objects.get(pk=operation.pk)
    for field in Operation._meta.concrete_fields:
        assert getattr(claimed, field.attname) == getattr(stored, field.attname), field.name


@pytest.mark.django_db
def test_a_claim_answers_the_bells_that_were_rung() -> None:
    operation = opened(rings=5)
    take(operation)
    operation.refresh_from_db()
    assert operation.rings == 0


@pytest.mark.django_db
@pytest.mark.parametrize("write", [Run.step_done, lambda run: run.write("later")])
def test_who_has_been_fenced_off_writes_nothing(write: Callable[[Run], None]) -> None:
    operation = opened()
    slow = take(operation)
    lapse(operation)
    take(operation)
    before = Operation.objects.values().get(pk=operation.pk)
    slow.notes["found"] = "something"
    with pytest.raises(Fenced):
        write(slow)
    assert Operation.objects.values().get(pk=operation.pk) == before


@pytest.mark.django_db
def test_what_was_written_with_a_step_goes_with_its_fence() -> None:
    operation = opened()
    slow = take(operation)
    lapse(operation)
    take(operation)
    with pytest.raises(Fenced), slow.commit():
        Volume.objects.update(name="written")
    assert Volume.objects.get().name != "written"


@pytest.mark.django_db
def test_a_step_is_given_back_once() -> None:
    run = take(opened())
    run.step_done()
    with pytest.raises(Fenced):
        run.step_done()


@pytest.mark.django_db
def test_a_heartbeat_extends_the_lease_and_writes_progress() -> None:
    operation = opened()
    run = take(operation)
    lapse(operation)
    run.progress(5, 10, "copying")
    Heartbeat.extend(run)
    stored = Operation.objects.get(pk=operation.pk)
    assert (stored.progress_bytes, stored.total_bytes, stored.phase) == (5, 10, "copying")
    assert claim(str(operation.pk), Step.VALIDATE) is None
    run.keep_going()


@pytest.mark.django_db
def test_a_heartbeat_learns_that_the_lease_is_lost() -> None:
    operation = opened()
    slow = take(operation)
    lapse(operation)
    other = take(operation)
    slow.progress(5)
    Heartbeat.extend(slow)
    with pytest.raises(Fenced):
        slow.keep_going()
    assert Operation.objects.get(pk=operation.pk).progress_bytes == 0
    Heartbeat.extend(other)
    other.keep_going()


@pytest.mark.django_db
def test_a_heartbeat_learns_of_a_cancel() -> None:
    operation = opened()
    run = take(operation)
    Operation.objects.update(cancel_requested=True)
    Heartbeat.extend(run)
    with pytest.raises(StepError) as error:
        run.keep_going()
    assert error.value.code is Code.CANCELLED


@pytest.mark.django_db(transaction=True)
def test_a_lease_that_is_held_does_not_lapse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT_S", 0.05)
    operation = opened()
    run = take(operation)
    threads_before = {*threading.enumerate()}
    with Heartbeat().hold(run):
        (thread,) = {*threading.enumerate()} - threads_before
        lapse(operation)
        extended = Operation.objects.filter(pk=operation.pk, lease_until__gt=Now())
        wait_until(extended.exists)
    # Who holds nothing keeps no thread, and no connection to the database.
    thread.join(timeout=10)
    assert not thread.is_alive()


@pytest.mark.django_db(transaction=True)
def test_work_that_hangs_loses_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside work that goes on; when nothing else is left, the process is of no use any more."""
    ended = threading.Event()
    monkeypatch.setattr(lease, "BEAT_S", 0.05)
    monkeypatch.setattr(lease, "HUNG_AFTER_S", 0.5)
    monkeypatch.setattr(lease, "end_this_process", ended.set)
    hung, busy = take(opened()), take(opened())
    heartbeat = Heartbeat()
    with heartbeat.hold(hung):
        with heartbeat.hold(busy):
            wait_until(lambda: hung.lease_lost or bool(busy.progress(time.monotonic_ns())))
            assert not busy.lease_lost
            assert not ended.is_set()
            lapse(hung.operation)
            assert claim(str(hung.operation.pk), Step.VALIDATE) is not None
            with pytest.raises(Fenced):
                hung.keep_going()
            with pytest.raises(Fenced):
                hung.step_done()
        wait_until(ended.is_set)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.django_db
def test_frees_the_leases_of_the_dead_and_of_nobody_else() -> None:
    with subprocess.Popen(["sleep", "60"]) as alive, subprocess.Popen(["sleep", "60"]) as dead:
        started = lease._start_time(alive.pid)
        died = lease._start_time(dead.pid)
        dead.kill()
        os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
        machine = socket.gethostname()
        held = {
            "of a process that is alive": f"control@here/{machine}/{alive.pid}/{started}",
            "of a process that is dead": f"control@here/{machine}/{dead.pid}/{died}",
            "of one whose number another has now": f"control@here/{machine}/{alive.pid}/77",
            "of another node": f"control@there/{machine}/{dead.pid}/77",
            "of a node with a longer name": f"control@here2/{machine}/{dead.pid}/77",
            "of a machine that cannot be seen": f"control@here/elsewhere/{dead.pid}/77",
        }
        for name, holder in held.items():
            opened(request_id=name, owner=holder, status=Status.RUNNING, lease_until=Now())
        ended = opened(owner=held["of a process that is dead"], status=Status.FAILED)
        assert release_dead_leases("control@here") == 2
        alive.kill()
    freed = Operation.objects.filter(owner="", status=Status.PENDING, lease_until=None)
    assert {each.request_id for each in freed} == {
        "of a process that is dead",
        "of one whose number another has now",
    }
    assert Operation.objects.get(pk=ended.pk).owner != ""


def test_a_process_is_known_by_when_it_started() -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    name, machine, pid, started = owner().split("/")
    assert (name, machine, pid) == ("local", socket.gethostname(), str(os.getpid()))
    assert 0 < int(started) / ticks <= uptime


@pytest.mark.django_db
def test_a_commit_that_fails_leaves_the_lease() -> None:
    run = take(opened())
    with pytest.raises(KeyError), run.commit():
        raise KeyError
    assert not run.committed
    run.step_done()
