"""How a volume grows, and what it is when it could not."""

import pytest

from drivers.faults import Fault
from storage_project.operations.models import Message
from tests.operations.consistency import require_consistent
from tests.operations.world import World
from volumes.backends import open_backend
from volumes.models import Pool, Volume
from volumes.services.volumes import extend_volume


def grow(world: World, volume: Volume, new_size_gib: int = 3) -> Volume:
    extend_volume(volume=volume, new_size_gib=new_size_gib, caller=world.caller)
    world.engine.run()
    return Volume.objects.get()


def test_has_its_new_size_everywhere(world: World) -> None:
    volume = grow(world, world.volume())
    assert (volume.status, volume.size_gib) == ("available", 3)
    require_consistent()


def test_a_pool_without_room_says_so_and_leaves_it_as_it_was(world: World) -> None:
    volume = world.volume()
    Pool.objects.update(free_gib=1.5, thin=False)
    volume = grow(world, volume)
    assert (volume.status, volume.size_gib) == ("available", 1)
    message = Message.objects.get()
    assert message.code == "backend_full"
    assert f"{volume.pool.host} has 1.5 GiB free" in message.sentence
    require_consistent()


@pytest.mark.parametrize("fault", [Fault.failure(), Fault.lost_reply(retryable=False)])
def test_what_the_backend_cannot_grow_keeps_its_size_and_charges(
    world: World, fault: Fault
) -> None:
    volume = world.volume()
    open_backend(volume.pool.backend).faults.next("extend_volume", fault)
    volume = grow(world, volume)
    assert (volume.status, volume.size_gib) == ("error_extending", 1)
    require_consistent()


def test_what_had_grown_is_found_grown_when_it_is_tried_again(world: World) -> None:
    volume = world.volume()
    open_backend(volume.pool.backend).faults.next("extend_volume", Fault.lost_reply())
    assert grow(world, volume).status == "available"
    require_consistent()
