"""The room that is promised in a pool is exact, also when many want the last of it at once."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from django.db.models.functions import Now

from drivers.faults import Fault
from storage_project.operations.models import Operation
from storage_project.operations.runner import run_step
from storage_project.operations.states import Status, Step
from tests.operations.consistency import require_consistent
from tests.operations.threads import at_once
from tests.operations.world import World
from volumes.backends import open_backend, report_backend
from volumes.models import Pool, Service, Volume
from volumes.pools import beat, lock_pools, pool_state, pool_states, release_room, reserve_room
from volumes.services.volumes import delete_volume, extend_volume

CLIENTS = 8
SMALL = """
[backends.small]
driver = "memory"
thin = false
capacity_gib = 5
"""
TWO_SMALL = """
[backends.one]
driver = "memory"
thin = false
capacity_gib = 3
[backends.two]
driver = "memory"
thin = false
capacity_gib = 2
"""


def test_promises_up_to_the_limit_and_no_further(
    world: World, configure: Callable[[str], None]
) -> None:
    configure(SMALL)
    pool = pool_state(Pool.objects.get(backend="small"))
    assert reserve_room(pool, 4)
    assert not reserve_room(pool, 2)
    assert reserve_room(pool, 1)
    release_room(pool.id, 4)
    assert reserve_room(pool, 3)
    stored = Pool.objects.get(backend="small")
    assert (stored.allocated_gib, stored.allocated_volumes) == (4, 2)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("configuration", [SMALL, TWO_SMALL], ids=["one pool", "two pools"])
def test_of_many_creates_at_once_exactly_as_many_find_a_place_as_there_is_room(
    world: World, configure: Callable[[str], None], configuration: str
) -> None:
    Service.objects.all().delete()
    configure(configuration)
    for _ in range(CLIENTS):
        world.request_volume()
    operations = Operation.objects.values_list("pk", flat=True)
    for pk in operations:
        run_step(str(pk), Step.VALIDATE)
    at_once(*(partial(run_step, str(pk), Step.SCHEDULE) for pk in operations))
    assert Volume.objects.filter(pool__isnull=False).count() == 5
    world.engine.run(workers=4)
    assert Operation.objects.filter(status=Status.SUCCEEDED).count() == 5
    require_consistent()


@pytest.mark.django_db(transaction=True)
def test_of_many_extends_at_once_exactly_as_many_succeed_as_there_is_room(
    world: World, configure: Callable[[str], None]
) -> None:
    Service.objects.all().delete()
    configure(SMALL.replace("5", "12"))
    for _ in range(CLIENTS):
        world.request_volume()
    world.engine.run()
    for volume in Volume.objects.all():
        extend_volume(volume=volume, new_size_gib=2, caller=world.caller)
    world.engine.run(workers=CLIENTS)
    assert Volume.objects.filter(size_gib=2).count() == 4
    require_consistent()


@pytest.mark.django_db(transaction=True)
def test_falling_from_each_others_pools_at_once_nobody_waits_for_ever(world: World) -> None:
    """Each reserves in one pool what it releases in another, in both directions."""
    for name in ("one", "two"):
        open_backend(name).faults.next("create_volume", *[Fault.failure()] * 4)
    for _ in range(10):
        world.request_volume()
    world.engine.run(workers=CLIENTS)
    assert Operation.objects.filter(status=Status.SUCCEEDED).exists()
    require_consistent()


@pytest.mark.django_db(transaction=True)
def test_a_report_changes_nothing_of_what_is_promised(world: World) -> None:
    acts = [partial(report_backend, "one")] * 4
    for _ in range(4):
        world.request_volume()
    at_once(*acts, partial(world.engine.run, workers=1))
    require_consistent()


@pytest.mark.django_db(transaction=True)
def test_the_first_beats_at_once_make_one_service() -> None:
    at_once(*[partial(beat, "cinder-volume", "here@one", "nova")] * CLIENTS)
    assert Service.objects.count() == 1


def test_is_up_while_its_service_beats(world: World) -> None:
    assert all(pool.up for pool in pool_states())
    Service.objects.filter(host__endswith="@one").update(heartbeat_at=Now() - timedelta(hours=1))
    assert {pool.backend_name: pool.up for pool in pool_states()} == {"one": False, "two": True}
    pools = lock_pools(Pool.objects.values_list("pk", flat=True))
    assert {pool.backend_name: pool.up for pool in pools.values()} == {"one": False, "two": True}


def test_deleting_gives_the_room_back(world: World) -> None:
    volume = world.volume()
    delete_volume(volume=volume, caller=world.caller)
    world.engine.run()
    assert not Pool.objects.exclude(allocated_gib=0, allocated_volumes=0).exists()
