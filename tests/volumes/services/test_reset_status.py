"""An admin may set any status at any moment. Whatever is underway ends all the same, exactly.

The cover: everything that can be reset, at each step of each request; each case runs once, here or
in the run on the other database.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from storage_project.api.faults import Conflict
from storage_project.operations.states import STEPS, Step
from tests.crash.accidents import Moment, killed
from tests.crash.cover import dealt
from tests.crash.scenarios import SCENARIOS
from tests.operations.consistency import require_consistent
from tests.operations.world import World
from volumes.attachment_state import status_at_rest
from volumes.models import Snapshot, Volume
from volumes.services import snapshots, volumes
from volumes.services.volumes import delete_volume, extend_volume, reset_status
from volumes.states import BY_ATTACHMENTS

RESETS = ["available", "error", "maintenance"]
WITH_SNAPSHOTS = [name for name in SCENARIOS if "snapshot" in name or "revert" in name]


def concerned() -> Volume:
    """The volume that the scenario's request is about."""
    return Volume.objects.latest("created_at")


def until_it_waits(world: World, name: str, step: Step) -> None:
    """Make the scenario's request, and go on until the step waits for a worker."""
    scenario = SCENARIOS[name]
    prepared = scenario.prepare(world)
    with world.engine.deaf_to(f"{scenario.kind}.{step}"):
        scenario.request(world, prepared)
        world.engine.look()


def until_its_worker_dies(world: World, name: str, step: Step) -> None:
    """Make the scenario's request, and let the worker die at the step with everything done."""
    scenario = SCENARIOS[name]
    prepared = scenario.prepare(world)
    with killed(scenario.kind, step, Moment.AFTER):
        scenario.request(world, prepared)
        world.engine.look()


@pytest.mark.parametrize(("name", "status", "step"), dealt(SCENARIOS, RESETS, STEPS))
def test_during_an_operation(world: World, name: str, step: Step, status: str) -> None:
    until_it_waits(world, name, step)
    volume = concerned()
    reset_status(volume=volume, status=status, caller=world.caller)
    world.engine.run()
    require_consistent()
    if left := Volume.objects.filter(pk=volume.pk).first():
        # What is by its attachments is so again when one of them changes.
        resettled = {status_at_rest(left)} if status in BY_ATTACHMENTS else set()
        assert left.status in {status} | resettled


@pytest.mark.parametrize(("name", "step"), dealt(SCENARIOS, STEPS))
def test_and_then_a_second_request_during_the_first(world: World, name: str, step: Step) -> None:
    until_its_worker_dies(world, name, step)
    extend = partial(extend_volume, new_size_gib=5)
    for request in (extend, delete_volume, partial(delete_volume, cascade=True), extend):
        reset_status(volume=concerned(), status="available", caller=world.caller)
        with suppress(Conflict):
            request(volume=concerned(), caller=world.caller)
    world.engine.run()
    require_consistent()


@pytest.mark.parametrize(
    ("name", "status", "step"), dealt(WITH_SNAPSHOTS, ["available", "error"], STEPS)
)
def test_of_a_snapshot_during_an_operation(
    world: World, name: str, step: Step, status: str
) -> None:
    until_it_waits(world, name, step)
    snapshot = Snapshot.objects.get()
    snapshots.reset_status(snapshot=snapshot, status=status, caller=world.caller)
    world.engine.run()
    require_consistent()
    if left := Snapshot.objects.first():
        assert left.status == status


def take(world: World, snapshot: Snapshot) -> None:
    snapshots.create_snapshot(volume=snapshot.volume, caller=world.caller)


def copy(world: World, snapshot: Snapshot) -> None:
    world.request_volume(source=snapshot)


def revert(world: World, snapshot: Snapshot) -> None:
    volumes.revert_volume(volume=snapshot.volume, snapshot_id=snapshot.pk, caller=world.caller)


def delete(world: World, snapshot: Snapshot) -> None:
    snapshots.delete_snapshot(snapshot=snapshot, caller=world.caller)


def force_delete(world: World, snapshot: Snapshot) -> None:
    snapshots.force_delete_snapshot(snapshot=snapshot, caller=world.caller)


def delete_all(world: World, snapshot: Snapshot) -> None:
    delete_volume(volume=snapshot.volume, caller=world.caller, cascade=True)


@pytest.mark.parametrize(
    ("name", "request_made", "step"),
    dealt(WITH_SNAPSHOTS, [take, copy, revert, delete, force_delete, delete_all], STEPS),
)
def test_of_both_and_then_a_second_request_on_the_snapshot(
    world: World, name: str, request_made: Callable[[World, Snapshot], None], step: Step
) -> None:
    until_its_worker_dies(world, name, step)
    snapshot = Snapshot.objects.get()
    snapshots.reset_status(snapshot=snapshot, status="available", caller=world.caller)
    reset_status(volume=snapshot.volume, status="available", caller=world.caller)
    with suppress(Conflict):
        request_made(world, Snapshot.objects.get())
    world.engine.run()
    require_consistent()
