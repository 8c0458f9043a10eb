"""A forced delete of a snapshot works whatever happens to it or to its volume meanwhile."""

import pytest

from storage_project.operations.models import Operation
from storage_project.operations.states import Status, Step
from tests.crash.accidents import Moment, killed
from tests.operations.consistency import require_consistent
from tests.operations.world import World
from volumes.models import Snapshot, Volume
from volumes.services.snapshots import create_snapshot, delete_snapshot, force_delete_snapshot
from volumes.services.volumes import delete_volume, force_delete_volume, revert_volume


def exists(snapshot: Snapshot) -> bool:
    return Snapshot.objects.filter(pk=snapshot.pk).exists()


@pytest.mark.parametrize("step", ["schedule", "provision", "report"])
def test_stops_one_that_is_being_taken(world: World, step: str) -> None:
    volume = world.volume()
    with world.engine.deaf_to(f"snapshot.create.{step}"):
        snapshot = create_snapshot(volume=volume, caller=world.caller)
        world.engine.look()
    force_delete_snapshot(snapshot=snapshot, caller=world.caller)
    world.engine.run()
    assert not exists(snapshot)
    assert Operation.objects.get(kind="snapshot.create").status == Status.CANCELLED
    require_consistent()


@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.AFTER])
def test_waits_for_a_revert_to_it(world: World, moment: Moment) -> None:
    snapshot = world.snapshot()
    with killed("volume.revert", Step.PROVISION, moment):
        revert_volume(volume=snapshot.volume, snapshot_id=snapshot.pk, caller=world.caller)
        world.engine.look()
    force_delete_snapshot(snapshot=snapshot, caller=world.caller)
    world.engine.look()
    assert exists(snapshot)
    world.engine.run()
    assert not exists(snapshot)
    assert Operation.objects.get(kind="volume.revert").status == Status.SUCCEEDED
    assert Volume.objects.get().status == "available"
    require_consistent()


def test_twice_is_once(world: World) -> None:
    snapshot = world.snapshot()
    delete_snapshot(snapshot=snapshot, caller=world.caller)
    force_delete_snapshot(snapshot=snapshot, caller=world.caller)
    force_delete_snapshot(snapshot=snapshot, caller=world.caller)
    world.engine.run()
    assert Operation.objects.get(kind="snapshot.delete").status == Status.SUCCEEDED
    require_consistent()


def test_of_one_that_goes_with_its_volume(world: World) -> None:
    snapshot = world.snapshot()
    delete_volume(volume=snapshot.volume, caller=world.caller, cascade=True)
    force_delete_snapshot(snapshot=snapshot, caller=world.caller)
    world.engine.run()
    assert not Operation.objects.filter(kind="snapshot.delete").exists()
    assert not Volume.objects.exists()
    require_consistent()


def test_of_a_volume_stops_what_is_done_to_its_snapshots(world: World) -> None:
    volume = world.volume()
    with world.engine.deaf_to("snapshot.create.provision"):
        create_snapshot(volume=volume, caller=world.caller)
        world.engine.look()
    force_delete_volume(volume=volume, caller=world.caller, cascade=True)
    world.engine.run()
    assert not Volume.objects.exists()
    assert Operation.objects.get(kind="snapshot.create").status == Status.CANCELLED
    require_consistent()
