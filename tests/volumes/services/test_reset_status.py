"""An admin may set any status at any moment. Whatever is underway ends all the same, exactly."""

from contextlib import suppress

import pytest

from storage_project.api.faults import Conflict
from storage_project.identity.caller import Caller
from storage_project.operations.states import STEPS, Step
from tests.crash.accidents import Moment, killed
from tests.crash.scenarios import SCENARIOS
from tests.operations.consistency import require_consistent
from tests.operations.world import World
from volumes.models import Volume
from volumes.services.volumes import delete_volume, extend_volume, reset_status

RESETS = ["available", "error", "maintenance"]


def fresh(volume: Volume) -> Volume:
    return Volume.objects.get(pk=volume.pk)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("status", RESETS)
@pytest.mark.parametrize("kind", SCENARIOS)
def test_during_an_operation(world: World, kind: str, step: Step, status: str) -> None:
    scenario = SCENARIOS[kind]
    prepared = scenario.prepare(world)
    with world.engine.deaf_to(f"{kind}.{step}"):
        scenario.request(world, prepared)
        world.engine.look()
    reset_status(volume=Volume.objects.get(), status=status, caller=world.caller)
    world.engine.run()
    require_consistent()
    if volume := Volume.objects.first():
        assert volume.status == status


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", SCENARIOS)
def test_and_then_a_second_request_during_the_first(world: World, kind: str, step: Step) -> None:
    scenario = SCENARIOS[kind]
    prepared = scenario.prepare(world)
    with killed(kind, step, Moment.AFTER):
        scenario.request(world, prepared)
        world.engine.look()
    for request in (extend, delete_volume, extend):
        reset_status(volume=Volume.objects.get(), status="available", caller=world.caller)
        with suppress(Conflict):
            request(volume=Volume.objects.get(), caller=world.caller)
    world.engine.run()
    require_consistent()


def extend(*, volume: Volume, caller: Caller) -> None:
    extend_volume(volume=volume, new_size_gib=5, caller=caller)
