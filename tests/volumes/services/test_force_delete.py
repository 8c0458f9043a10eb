"""A forced delete works whatever the volume is doing, and whatever else is asked meanwhile."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from storage_project.operations.models import Operation
from storage_project.operations.services import cancel_operation
from storage_project.operations.states import Status, Step
from tests.crash.accidents import Moment, killed
from tests.operations.consistency import require_consistent
from tests.operations.world import World
from volumes.models import Service, Volume
from volumes.services.volumes import (
    delete_volume,
    extend_volume,
    force_delete_volume,
    reset_status,
)


def exists(volume: Volume) -> bool:
    return Volume.objects.filter(pk=volume.pk).exists()


def fresh(volume: Volume) -> Volume:
    return Volume.objects.get(pk=volume.pk)


STEPS_OF_CREATE = ["volume.create.schedule", "volume.create.provision", "volume.create.report"]


@pytest.mark.parametrize("task", STEPS_OF_CREATE)
def test_stops_a_create_that_waits(world: World, task: str) -> None:
    with world.engine.deaf_to(task):
        volume = world.request_volume()
        world.engine.look()
    force_delete_volume(volume=volume, caller=world.caller)
    world.engine.run()
    assert not exists(volume)
    assert Operation.objects.get(kind="volume.create").status == Status.CANCELLED
    require_consistent()


@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.AFTER])
def test_cleans_up_after_a_create_whose_worker_died(world: World, moment: Moment) -> None:
    with killed("volume.create", Step.PROVISION, moment):
        volume = world.request_volume()
        world.engine.look()
    force_delete_volume(volume=volume, caller=world.caller)
    world.engine.run()
    assert not exists(volume)
    require_consistent()


def test_waits_for_an_extend_that_has_begun(world: World) -> None:
    volume = world.volume()
    with killed("volume.extend", Step.PROVISION, Moment.AFTER):
        extend_volume(volume=volume, new_size_gib=3, caller=world.caller)
        world.engine.look()
    force_delete_volume(volume=volume, caller=world.caller)
    world.engine.look()
    assert exists(volume)
    world.engine.run()
    assert not exists(volume)
    require_consistent()


def test_looks_less_often_the_longer_it_has_waited(world: World) -> None:
    with killed("volume.create", Step.PROVISION, Moment.AFTER):
        volume = world.request_volume()
        world.engine.look()
    force_delete_volume(volume=volume, caller=world.caller)
    delete = Operation.objects.filter(kind="volume.delete")
    pauses = []
    for waited in (timedelta(0), timedelta(minutes=2), timedelta(hours=9)):
        delete.update(created_at=Now() - waited, ring_after=Now() - timedelta(seconds=1))
        world.engine.dispatcher.ring_due()
        world.engine.deliver(world.engine.sent[-1])
        pause = delete.annotate(pause=F("ring_after") - Now()).get().pause
        pauses.append(round(pause.total_seconds()))
    assert pauses == [1, 12, 60]


def test_twice_is_once(world: World) -> None:
    volume = world.volume()
    force_delete_volume(volume=fresh(volume), caller=world.caller)
    force_delete_volume(volume=fresh(volume), caller=world.caller)
    world.engine.run()
    assert Operation.objects.get(kind="volume.delete").status == Status.SUCCEEDED
    require_consistent()


def test_is_not_refused_because_the_status_has_just_moved(world: World) -> None:
    with world.engine.deaf_to("volume.create.report"):
        seen = world.request_volume()
    world.engine.run()
    force_delete_volume(volume=seen, caller=world.caller)
    world.engine.run()
    assert not exists(seen)
    require_consistent()


@pytest.mark.parametrize("task", STEPS_OF_CREATE)
def test_cancelled_while_it_waits_for_a_create(world: World, task: str) -> None:
    with world.engine.deaf_to(task):
        volume = world.request_volume()
        world.engine.look()
        force_delete_volume(volume=volume, caller=world.caller)
        cancel_operation(operation=Operation.objects.get(kind="volume.delete"))
    world.engine.run()
    assert fresh(volume).status == "error_deleting"
    require_consistent()
    delete_volume(volume=fresh(volume), caller=world.caller)
    world.engine.run()
    assert not exists(volume)
    require_consistent()


def test_a_second_one_after_a_reset_does_not_stop_the_first(world: World) -> None:
    volume = world.volume()
    with world.engine.deaf_to("volume.delete.provision"):
        delete_volume(volume=volume, caller=world.caller)
        world.engine.look()
    reset_status(volume=volume, status="error", caller=world.caller)
    force_delete_volume(volume=fresh(volume), caller=world.caller)
    world.engine.run()
    assert not exists(volume)
    require_consistent()


def test_of_a_volume_that_was_reset_to_deleting(world: World) -> None:
    with world.engine.deaf_to("volume.create.provision"):
        volume = world.request_volume()
        world.engine.look()
    reset_status(volume=volume, status="deleting", caller=world.caller)
    force_delete_volume(volume=fresh(volume), caller=world.caller)
    world.engine.run()
    assert not exists(volume)
    require_consistent()


def test_of_a_volume_that_never_got_a_place_is_done_at_once(world: World) -> None:
    volume = create_volume_without_a_place(world)
    force_delete_volume(volume=volume, caller=world.caller)
    assert not exists(volume)
    assert not Operation.objects.filter(kind="volume.delete").exists()
    require_consistent()


def test_a_plain_delete_of_a_volume_that_never_got_a_place_is_done_at_once(world: World) -> None:
    volume = create_volume_without_a_place(world)
    delete_volume(volume=volume, caller=world.caller)
    assert not exists(volume)
    require_consistent()


def create_volume_without_a_place(world: World) -> Volume:
    Service.objects.update(enabled=False)
    volume = world.request_volume()
    world.engine.run()
    assert fresh(volume).status == "error"
    return fresh(volume)
