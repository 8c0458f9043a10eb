"""Every pipeline, at every step, with everything that can happen there.

Each case must end, with the resource in a legal state, nothing on the backends that no row owns,
quotas and pools exact, and a message when it failed. The pipelines are those of the settings: a
new one is covered as soon as it is listed, and needs an entry in `scenarios.py`.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import pytest

from drivers.errors import DriverError, Reason
from storage_project.api.faults import Conflict
from storage_project.operations.models import Operation
from storage_project.operations.pipeline import Pipeline, pipelines
from storage_project.operations.services import cancel_operation
from storage_project.operations.states import STEPS, Status, Step
from tests.crash.accidents import FOR_EVER, Moment, cancelled, failing, killed, overtaken
from tests.crash.scenarios import SCENARIOS
from tests.operations.consistency import require_consistent
from tests.operations.engine import Engine
from tests.operations.world import World

FILES = """
[backends.one]
driver = "file"
path = "one"
[backends.two]
driver = "file"
path = "two"
"""

FATAL = DriverError("It is broken.", code=Reason.failed)
PASSING = DriverError("It is busy.", code=Reason.busy, retryable=True)


@dataclass(frozen=True)
class Case:
    """One step of one pipeline, in an engine of its own."""

    pipeline: Pipeline
    step: Step
    engine: Engine
    request: Callable[[], object]

    @property
    def kind(self) -> str:
        return self.pipeline.kind

    @property
    def task(self) -> str:
        return self.pipeline.task_name(self.step)

    def until_ended(self, accident: AbstractContextManager[Any] | None = None) -> None:
        """Make the request and go on until it has ended, with this accident on the way."""
        with accident or nullcontext():
            self.request()
            self.engine.run()

    def until_it_waits(self) -> None:
        """Make the request and go on until the step waits for a worker."""
        with self.engine.deaf_to(self.task):
            self.request()
            self.engine.look()


Trouble = Callable[[Case], None]
Ends = Callable[[Case], set[Status]]


def succeeds(_: Case) -> set[Status]:
    return {Status.SUCCEEDED}


def fails(_: Case) -> set[Status]:
    return {Status.FAILED}


def succeeds_elsewhere(*steps: Step) -> Ends:
    """Where the pipeline goes to another backend when it has failed on one at these steps."""

    def ends(case: Case) -> set[Status]:
        mended = case.step in steps and case.pipeline.on_fall_through is not None
        return {Status.SUCCEEDED if mended else Status.FAILED}

    return ends


def cancelled_if_possible(begun: bool) -> Ends:
    def ends(case: Case) -> set[Status]:
        possible = case.pipeline.may_cancel(case.step, int(begun))
        return {Status.CANCELLED if possible else Status.SUCCEEDED}

    return ends


def delivered_twice(case: Case) -> None:
    case.engine.copies = 2
    case.until_ended()


def all_messages_come_again(case: Case) -> None:
    case.engine.echo = True
    case.until_ended()


def message_lost(case: Case) -> None:
    case.until_it_waits()
    case.engine.run()


def nobody_comes(case: Case) -> None:
    case.until_it_waits()
    case.engine.pass_patience()
    case.engine.run()


def cancelled_while_it_waits(case: Case) -> None:
    case.until_it_waits()
    operation = Operation.objects.get(kind=case.kind)
    with nullcontext() if case.pipeline.may_cancel(case.step, 0) else pytest.raises(Conflict):
        cancel_operation(operation=operation)
    case.engine.run()


def kill(moment: Moment, times: int = 1) -> Trouble:
    return lambda case: case.until_ended(killed(case.kind, case.step, moment, times=times))


def fail(error: Exception, **how: Any) -> Trouble:
    return lambda case: case.until_ended(failing(case.kind, case.step, error, **how))


def overtake(*, after_effect: bool) -> Trouble:
    return lambda case: case.until_ended(
        overtaken(case.engine, case.kind, case.step, after_effect=after_effect)
    )


def cancel(*, before_effect: bool) -> Trouble:
    return lambda case: case.until_ended(
        cancelled(case.kind, case.step, before_effect=before_effect)
    )


TROUBLES: dict[str, tuple[Trouble, Ends]] = {
    "delivered twice": (delivered_twice, succeeds),
    "all messages come again": (all_messages_come_again, succeeds),
    "its message is lost": (message_lost, succeeds),
    **{f"killed {moment}": (kill(moment), succeeds) for moment in Moment},
    "killed for ever": (kill(Moment.BEFORE, FOR_EVER), fails),
    "killed for ever after its effect": (kill(Moment.AFTER, FOR_EVER), fails),
    "fails once": (fail(FATAL, times=1), succeeds_elsewhere(Step.PROVISION, Step.REPORT)),
    "fails everywhere": (fail(FATAL), fails),
    "fails for a while": (fail(PASSING, times=1), succeeds),
    "fails for too long": (fail(PASSING), fails),
    "raises what it should not": (fail(ValueError("a bug")), fails),
    "overtaken before its effect": (overtake(after_effect=False), succeeds),
    "overtaken after its effect": (overtake(after_effect=True), succeeds),
    "cancelled while it waits": (cancelled_while_it_waits, cancelled_if_possible(begun=False)),
    "nobody comes": (nobody_comes, succeeds_elsewhere(Step.PROVISION)),
}

CASES = [
    pytest.param(kind, step, *trouble, id=f"{kind}.{step} {name}")
    for kind in pipelines()
    for step in STEPS
    for name, trouble in TROUBLES.items()
]


@pytest.fixture(params=["memory", "file"])
def world(world: World, configure: Callable[[str], None], request: pytest.FixtureRequest) -> World:
    if request.param == "file":
        configure(FILES)
    return world


@pytest.mark.parametrize(("kind", "step", "trouble", "ends"), CASES)
def test_ends_well(world: World, kind: str, step: Step, trouble: Trouble, ends: Ends) -> None:
    scenario = SCENARIOS[kind]
    prepared = scenario.prepare(world)
    case = Case(pipelines()[kind], step, world.engine, lambda: scenario.request(world, prepared))
    trouble(case)
    require_consistent()
    operation = Operation.objects.get(kind=kind)
    assert operation.status in ends(case), operation.timeline
    world.engine.deliver_again()
    require_consistent()
