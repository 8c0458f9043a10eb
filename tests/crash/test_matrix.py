"""Every pipeline, at every step, with everything that can happen there.

Each case must end, with the resource in a legal state, nothing on the backends that no row owns,
quotas and pools exact, and a message when it failed. The pipelines are those of the settings: a
new one is covered as soon as it is listed, and needs an entry in `scenarios.py`.

The cover: each accident happens once at each step of each request, here or in the run on the other
database; and each accident at each step happens on both databases, and with both drivers on each
where the step is one that drivers have a part in.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from drivers.errors import DriverError, Reason
from storage_project.api.faults import Conflict
from storage_project.operations.models import Operation
from storage_project.operations.pipeline import Pipeline, pipelines
from storage_project.operations.services import cancel_operation
from storage_project.operations.states import PLACED, STEPS, Status, Step, following
from tests.crash.accidents import FOR_EVER, Moment, cancelled, failing, killed, overtaken
from tests.crash.cover import DATABASES, HERE, numbered
from tests.crash.scenarios import SCENARIOS, Scenario
from tests.operations.consistency import require_consistent
from tests.operations.engine import Engine
from tests.operations.world import World

FILES = """
[backends.one]
driver = "file"
exports = ["file"]
path = "one"
[backends.two]
driver = "file"
exports = ["file"]
path = "two"
[hypervisors.lab]
driver = "memory"
servers = ["one"]
[repositories.main]
driver = "directory"
path = "backups"
"""

FATAL = DriverError("It is broken.", code=Reason.failed)
PASSING = DriverError("It is busy.", code=Reason.busy, retryable=True)


@dataclass(frozen=True)
class Case:
    """One step of one pipeline, in an engine of its own."""

    scenario: Scenario
    step: Step
    engine: Engine
    request: Callable[[], object]

    @property
    def kind(self) -> str:
        return self.scenario.kind

    @property
    def pipeline(self) -> Pipeline:
        return pipelines()[self.kind]

    @property
    def task(self) -> str:
        return self.pipeline.task_name(self.step)

    def until_ended(self, accident: AbstractContextManager[Any] | None = None) -> None:
        """Make the request and go on until it has ended, with this accident on the way."""
        with accident or nullcontext():
            self.request()
            self.engine.run()

    def until_it_waits(self, accident: AbstractContextManager[Any] | None = None) -> None:
        """Make the request and go on until the step waits for a worker, or for one again."""
        with accident or self.engine.deaf_to(self.task):
            self.request()
            self.engine.look()

    def cancel(self, *, earlier_claims: int) -> None:
        """Cancel the operation, which is to be refused when it is too late."""
        may = self.pipeline.may_cancel(self.step, earlier_claims)
        with nullcontext() if may else pytest.raises(Conflict):
            cancel_operation(operation=self.scenario.operation())


Trouble = Callable[[Case], None]
Ends = Callable[[Case], set[Status]]


def succeeds(_: Case) -> set[Status]:
    return {Status.SUCCEEDED}


def fails(_: Case) -> set[Status]:
    return {Status.FAILED}


def succeeds_elsewhere(*steps: Step) -> Ends:
    """Where the pipeline goes to another backend when it has failed on one at these steps."""

    def ends(case: Case) -> set[Status]:
        goes_on = case.pipeline.on_fall_through is not None and not case.scenario.bound
        mended = case.step in steps and goes_on
        return {Status.SUCCEEDED if mended else Status.FAILED}

    return ends


def cancelled_before(case: Case) -> set[Status]:
    """A cancel that came before the step was begun."""
    return _cancelled_if(case.pipeline.may_cancel(case.step, 0))


def cancelled_between(case: Case) -> set[Status]:
    """A cancel that came after a first try at the step."""
    return _cancelled_if(case.pipeline.may_cancel(case.step, 1))


def cancelled_after(case: Case) -> set[Status]:
    """A cancel that came while a worker was at the step is seen by the next one."""
    step = following(case.step)
    return _cancelled_if(step is not Step.DONE and case.pipeline.may_cancel(step, 0))


def _cancelled_if(possible: bool) -> set[Status]:
    return {Status.CANCELLED if possible else Status.SUCCEEDED}


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
    case.cancel(earlier_claims=0)
    case.engine.run()


def cancelled_after_a_death(case: Case) -> None:
    case.until_it_waits(killed(case.kind, case.step, Moment.AFTER))
    case.cancel(earlier_claims=1)
    case.engine.run()


def cancelled_after_a_failure(case: Case) -> None:
    case.until_it_waits(failing(case.kind, case.step, PASSING, times=1))
    case.cancel(earlier_claims=1)
    case.engine.run()


def cancelled_at_work(case: Case) -> None:
    case.until_ended(cancelled(case.kind, case.step))


def kill(moment: Moment, times: int = 1) -> Trouble:
    return lambda case: case.until_ended(killed(case.kind, case.step, moment, times=times))


def fail(error: Exception, **how: Any) -> Trouble:
    return lambda case: case.until_ended(failing(case.kind, case.step, error, **how))


def overtake(*, after_effect: bool) -> Trouble:
    return lambda case: case.until_ended(
        overtaken(case.engine, case.kind, case.step, after_effect=after_effect)
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
    "cancelled while it waits": (cancelled_while_it_waits, cancelled_before),
    "cancelled after a death": (cancelled_after_a_death, cancelled_between),
    "cancelled after a failure": (cancelled_after_a_failure, cancelled_between),
    "cancelled at work": (cancelled_at_work, cancelled_after),
    "nobody comes": (nobody_comes, succeeds_elsewhere(Step.PROVISION)),
}

# Where a case runs: its driver and its database, in the order in which cases are dealt out.
PLACES = (
    ("memory", "sqlite3"),
    ("file", "postgresql"),
    ("file", "sqlite3"),
    ("memory", "postgresql"),
)


@dataclass(frozen=True)
class Deal:
    """A case and where it runs."""

    request: str
    step: Step
    accident: str
    driver: str
    database: str


def deals(*steps: Step, start: int = 0) -> Iterator[Deal]:
    """Everything that can happen at these steps. Only at some of them drivers have a part."""
    for number, (request, step, accident) in numbered(SCENARIOS, steps, TROUBLES):
        driver, database = PLACES[(start + number) % len(PLACES)]
        undoes = pipelines()[SCENARIOS[request].kind].on_undo is not None
        if step is not Step.UNDO or (undoes and not accident.startswith("cancelled")):
            yield Deal(request, step, accident, driver if step in PLACED else "memory", database)


CASES = [
    pytest.param(
        each.driver,
        each.request,
        each.step,
        *TROUBLES[each.accident],
        id=f"{each.driver} {each.request}, {each.step}: {each.accident}",
    )
    for each in deals(*STEPS)
    if each.database == HERE
]


@pytest.fixture
def world(world: World, configure: Callable[[str], None], driver: str) -> World:
    if driver == "file":
        configure(FILES)
    return world


def test_has_a_scenario_for_every_pipeline() -> None:
    assert {scenario.kind for scenario in SCENARIOS.values()} == pipelines().keys()


@pytest.mark.parametrize("step", [*STEPS, Step.UNDO])
def test_each_accident_happens_everywhere(step: Step) -> None:
    """On both databases, and with both drivers on each; nothing is left out and nothing twice."""
    everywhere = set(PLACES) if step in PLACED else {("memory", each) for each in DATABASES}
    dealt = [*deals(step)]
    for accident in {each.accident for each in dealt}:
        places = {(each.driver, each.database) for each in dealt if each.accident == accident}
        assert places == everywhere, accident
    assert len({(each.request, each.accident) for each in dealt}) == len(dealt)
    if step is not Step.UNDO:
        assert len(dealt) == len(SCENARIOS) * len(TROUBLES)


@pytest.mark.parametrize(("driver", "request_name", "step", "trouble", "ends"), CASES)
def test_ends_well(
    world: World, request_name: str, step: Step, trouble: Trouble, ends: Ends
) -> None:
    scenario = SCENARIOS[request_name]
    prepared = scenario.prepare(world)
    case = Case(scenario, step, world.engine, lambda: scenario.request(world, prepared))
    trouble(case)
    require_well_ended(case, ends)


def require_well_ended(case: Case, ends: Ends) -> None:
    require_consistent()
    operation = case.scenario.operation()
    assert operation.status in ends(case), operation.timeline
    claims = claims_made()
    case.engine.deliver_again()
    assert claims_made() == claims


def claims_made() -> dict[UUID, int]:
    """How often each operation was claimed. Without a claim no step runs, so nothing changes."""
    return dict(Operation.objects.values_list("pk", "fence"))


def cancels_what_was_begun(world: World, scenario: Scenario) -> Callable[[], None]:
    """Make the request, let its worker die at provision with everything done, and cancel it."""
    prepared = scenario.prepare(world)

    def request() -> None:
        with killed(scenario.kind, Step.PROVISION, Moment.AFTER):
            scenario.request(world, prepared)
            world.engine.look()
        cancel_operation(operation=scenario.operation())
        world.engine.pass_time()

    return request


def is_cancelled(_: Case) -> set[Status]:
    return {Status.CANCELLED}


def undo_cases(*, start: int) -> list[Any]:
    return [
        pytest.param(
            each.driver,
            each.request,
            TROUBLES[each.accident][0],
            id=f"{each.driver} {each.request}: {each.accident}",
        )
        for each in deals(Step.UNDO, start=start)
        if each.database == HERE
    ]


@pytest.mark.parametrize(("driver", "request_name", "trouble"), undo_cases(start=0))
def test_ends_well_when_it_is_taken_back(world: World, request_name: str, trouble: Trouble) -> None:
    scenario = SCENARIOS[request_name]
    request = cancels_what_was_begun(world, scenario)
    case = Case(scenario, Step.UNDO, world.engine, request)
    trouble(case)
    require_well_ended(case, is_cancelled)


@pytest.mark.parametrize(("driver", "request_name", "trouble"), undo_cases(start=1))
def test_ends_well_when_it_fails_and_is_taken_back(
    world: World, request_name: str, trouble: Trouble
) -> None:
    scenario = SCENARIOS[request_name]
    prepared = scenario.prepare(world)
    case = Case(scenario, Step.UNDO, world.engine, lambda: scenario.request(world, prepared))
    with failing(scenario.kind, Step.PROVISION, FATAL, after_effect=True):
        trouble(case)
    require_well_ended(case, fails)
