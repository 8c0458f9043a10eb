"""What the engine makes of the ways in which a step can end."""

from contextlib import AbstractContextManager, nullcontext

import pytest
from django.db import DatabaseError, connection

from backups.services.restores import create_volume_from_backup
from drivers.errors import DriverError, Reason
from drivers.faults import Faults
from storage_project.operations.messages import Code, NotYet, StepError
from storage_project.operations.models import Message, Operation
from storage_project.operations.pipeline import Pipeline, pipelines
from storage_project.operations.run import Run
from storage_project.operations.runner import Outcome, run_step
from storage_project.operations.states import Status, Step
from tests.crash.accidents import FOR_EVER, Moment, failing, killed, replaced
from tests.crash.scenarios import SCENARIOS
from tests.operations.consistency import require_consistent, require_ended
from tests.operations.world import World
from volumes.models import Pool, Volume
from volumes.pipelines import create


@pytest.fixture
def pipeline() -> Pipeline:
    return pipelines()["volume.create"]


def create_with(world: World, accident: AbstractContextManager[None]) -> Operation:
    with accident:
        world.request_volume()
        world.engine.run()
    return Operation.objects.get()


def test_what_passes_is_tried_again_later_and_later(world: World) -> None:
    error = DriverError("Just now not.", code=Reason.busy, retryable=True)
    with failing("volume.create", Step.PROVISION, error, times=4):
        world.request_volume()
        pauses = []
        for _ in range(4):
            world.engine.look()
            operation = Operation.objects.get()
            assert operation.status == Status.PENDING
            assert "Just now not." in operation.error
            pauses.append(round((operation.ring_after - operation.updated_at).total_seconds()))
            world.engine.pass_time()
        world.engine.run()
    assert pauses == [1, 2, 4, 8]
    operation.refresh_from_db()
    assert (operation.status, operation.error) == (Status.SUCCEEDED, "")


def test_what_does_not_pass_ends_after_so_many_tries(world: World, pipeline: Pipeline) -> None:
    error = DriverError("Just now not.", code=Reason.busy, retryable=True)
    operation = create_with(world, failing("volume.create", Step.VALIDATE, error))
    assert operation.status == Status.FAILED
    assert len(operation.timeline) == pipeline.max_attempts


def test_what_kills_its_workers_is_given_up_before_it_kills_those_of_other_backends(
    world: World, pipeline: Pipeline
) -> None:
    operation = create_with(
        world, killed("volume.create", Step.PROVISION, Moment.BEFORE, times=FOR_EVER)
    )
    assert operation.error_code == Code.WORKER_DIED
    assert {bell.queue for bell in world.engine.sent} == {
        "control",
        operation.provision_queue,
    }
    require_consistent()


@pytest.mark.parametrize(
    ("error", "goes_elsewhere"),
    [
        (StepError(Code.BACKEND_FULL), True),
        (StepError(Code.BACKEND_FAILED), True),
        (ValueError("a defect of the driver"), True),
        (StepError(Code.CHANGED_MEANWHILE), False),
    ],
)
def test_only_a_failure_of_the_backend_is_taken_elsewhere(
    world: World, error: Exception, goes_elsewhere: bool
) -> None:
    operation = create_with(world, failing("volume.create", Step.PROVISION, error, times=1))
    assert operation.status == (Status.SUCCEEDED if goes_elsewhere else Status.FAILED)


def test_who_waits_counts_no_try_and_does_not_fill_its_timeline(world: World) -> None:
    operation = create_with(
        world, failing("volume.create", Step.VALIDATE, NotYet("waits for rain"), times=20)
    )
    assert operation.status == Status.SUCCEEDED
    waited, done, *_ = operation.timeline
    assert (waited["outcome"], waited["note"]) == (Outcome.LATER, "waits for rain")
    assert (done["step"], done["attempt"]) == (Step.VALIDATE, 1)
    assert operation.phase == ""


@pytest.mark.parametrize("goes_well", [True, False])
def test_who_waits_for_another_begins_as_soon_as_that_ends(world: World, goes_well: bool) -> None:
    backup = world.backup()
    step, error = Step.PROVISION, StepError(Code.CHANGED_MEANWHILE)
    with nullcontext() if goes_well else failing("volume.create", step, error):
        create_volume_from_backup(backup=backup, caller=world.caller)
        world.engine.look()
        waiting = Operation.objects.get(kind="backup.restore")
        assert waiting.phase.startswith("waits for volume.create")
        world.engine.look()  # no time has passed
    waiting.refresh_from_db()
    assert waiting.status == (Status.SUCCEEDED if goes_well else Status.FAILED)
    require_consistent()


def test_who_would_wait_for_what_has_just_ended_begins_at_once(world: World) -> None:
    world.volume()
    ended = Operation.objects.get()
    wait = NotYet("waits", wait_s=600, waits_for=ended.pk)
    with failing("volume.create", Step.VALIDATE, wait, times=1):
        world.request_volume()
        world.engine.look()
        world.engine.look()
    assert Operation.objects.filter(status=Status.SUCCEEDED).count() == 2


def test_a_user_is_told_what_the_driver_says_and_not_what_python_says(world: World) -> None:
    error = DriverError("The disk is away.", code=Reason.unavailable, detail="/dev/sdb: EIO")
    operation = create_with(world, failing("volume.create", Step.PROVISION, error))
    assert "The disk is away." in operation.error
    assert "/dev/sdb" not in operation.error
    operation.delete()
    operation = create_with(world, failing("volume.create", Step.VALIDATE, ValueError("secret")))
    assert operation.error_code == Code.INTERNAL
    assert "secret" not in operation.error


def test_the_database_being_away_is_no_failure_of_the_operation(world: World) -> None:
    world.request_volume()
    operation = Operation.objects.get()
    with (
        failing("volume.create", Step.VALIDATE, DatabaseError("server closed"), times=1),
        pytest.raises(DatabaseError),
    ):
        run_step(str(operation.pk), Step.VALIDATE)
    world.engine.run()
    assert Operation.objects.get().status == Status.SUCCEEDED


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", pipelines())
def test_a_backend_is_only_asked_outside_of_transactions(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Nobody waits in the database for what a backend takes its time for."""
    around = Faults.around
    asked = []

    def ask(faults: Faults, act: str, **how: bool) -> AbstractContextManager[None]:
        assert not connection.in_atomic_block, act
        asked.append(act)
        return around(faults, act, **how)

    scenario = SCENARIOS[kind]
    prepared = scenario.prepare(world)
    monkeypatch.setattr(Faults, "around", ask)
    error = DriverError("It is broken.", code=Reason.failed)
    with failing(kind, Step.PROVISION, error, after_effect=True):
        scenario.request(world, prepared)
        world.engine.run()
    assert asked


def test_what_the_database_refuses_is_a_failure_and_no_absence(world: World) -> None:
    def refused(run: Run) -> None:
        with run.commit():
            Pool.objects.update(allocated_gib=-1)

    operation = create_with(world, replaced("volume.create", Step.SCHEDULE, lambda _: refused))
    assert (operation.error_code, operation.attempts) == (Code.INTERNAL, 1)


def test_what_cannot_be_ended_is_tried_again_until_it_can(
    world: World, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect in a way back. It is logged each time, and mended by the next release."""

    def defective(*_: object) -> None:
        raise KeyError("a defect")

    with failing("volume.create", Step.SCHEDULE, ValueError(), times=1):
        monkeypatch.setattr(pipeline, "on_failed", defective)
        world.request_volume()
        world.engine.look()
        world.engine.pass_time()
        Operation.objects.update(cancel_requested=True)
        world.engine.look()
        assert Operation.objects.get().status == Status.RUNNING
        monkeypatch.setattr(pipeline, "on_failed", create.fail)
        world.engine.run()
    require_consistent()


def test_what_is_about_nothing_any_more_ends(world: World) -> None:
    with world.engine.deaf_to("volume.create.validate"):
        world.request_volume()
        world.engine.look()
    Volume.objects.all().delete()
    world.engine.run()
    operation = Operation.objects.get()
    require_ended(operation)
    assert Message.objects.get().code == Code.CHANGED_MEANWHILE


def test_what_cannot_be_taken_back_says_so(world: World) -> None:
    error = DriverError("It is broken.", code=Reason.failed)
    with failing("volume.create", Step.UNDO, error):
        operation = create_with(
            world, failing("volume.create", Step.PROVISION, error, after_effect=True)
        )
    assert operation.status == Status.FAILED
    assert "could not be taken back" in operation.error
    volume = Volume.objects.get()
    assert volume.status == "error"
    assert volume.pool is not None
    require_consistent()
