"""Every message of every step of every pipeline, taken by several workers at the same moment."""

import pytest

from storage_project.operations.models import Operation
from storage_project.operations.pipeline import pipelines
from storage_project.operations.states import STEPS, Status, Step
from tests.crash.accidents import Moment, killed
from tests.crash.scenarios import SCENARIOS
from tests.operations.consistency import require_consistent
from tests.operations.threads import at_once
from tests.operations.world import World

WORKERS = 4


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", pipelines())
def test_each_step_is_done_once(world: World, kind: str) -> None:
    scenario = SCENARIOS[kind]
    scenario.request(world, scenario.prepare(world))
    operation = Operation.objects.get(kind=kind)
    for _ in STEPS:
        deliver_the_next_at_once(world)
    operation.refresh_from_db()
    assert operation.status == Status.SUCCEEDED
    assert operation.fence == len(STEPS)
    assert [event["step"] for event in operation.timeline] == [*STEPS]
    world.engine.run()  # what it goes on with
    require_consistent()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", [kind for kind, each in pipelines().items() if each.on_undo])
def test_each_undo_is_done_once(world: World, kind: str) -> None:
    scenario = SCENARIOS[kind]
    prepared = scenario.prepare(world)
    with killed(kind, Step.PROVISION, Moment.AFTER), world.engine.deaf_to(f"{kind}.undo"):
        scenario.request(world, prepared)
        world.engine.look()
        Operation.objects.update(cancel_requested=True)
        world.engine.pass_time()
        world.engine.look()
    deliver_the_next_at_once(world)
    operation = Operation.objects.get(kind=kind)
    assert operation.status == Status.CANCELLED
    assert [event["step"] for event in operation.timeline].count(Step.UNDO) == 1
    world.engine.run()
    require_consistent()


def deliver_the_next_at_once(world: World) -> None:
    """Ring what is due, and let all workers take the newest message."""
    engine = world.engine
    engine.pass_time()
    engine.dispatcher.ring_due()
    bell = engine.sent[-1]
    for outcome in at_once(*[lambda: engine.deliver(bell)] * WORKERS):
        assert outcome is None
