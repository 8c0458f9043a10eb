from dataclasses import replace

from hypothesis import given

from tests.volumes.scheduler.pools import a_pool, pool_lists
from volumes.scheduler.request import PoolState
from volumes.scheduler.weighers import best_first


def names(*pools: PoolState) -> list[str]:
    return [pool.backend_name for pool in best_first(pools)]


def test_more_room_comes_first() -> None:
    assert names(a_pool("a", free_gib=50.0), a_pool("b", free_gib=60.0)) == ["b", "a"]


def test_fewer_volumes_come_first() -> None:
    assert names(a_pool("a", allocated_volumes=2), a_pool("b", allocated_volumes=1)) == ["b", "a"]


def test_little_more_room_does_not_outweigh_many_more_volumes() -> None:
    roomy = a_pool("roomy", free_gib=100.0, allocated_volumes=90)
    quiet = a_pool("quiet", free_gib=99.0, allocated_volumes=1)
    assert names(roomy, quiet) == ["quiet", "roomy"]


def test_preference_outranks_every_measure() -> None:
    worse = a_pool("worse", free_gib=10.0, allocated_volumes=90, preference=1)
    assert names(a_pool("better"), worse, a_pool("last", preference=-1)) == [
        "worse",
        "better",
        "last",
    ]


def test_equal_pools_are_in_the_order_of_their_names() -> None:
    assert names(a_pool("c"), a_pool("a"), a_pool("b")) == ["a", "b", "c"]


def test_nothing_to_order() -> None:
    assert best_first([]) == ()


@given(pools=pool_lists())
def test_better_preference_comes_first(pools: list[PoolState]) -> None:
    preferences = [pool.preference for pool in best_first(pools)]
    assert preferences == sorted(preferences, reverse=True)


@given(pools=pool_lists())
def test_units_do_not_matter(pools: list[PoolState]) -> None:
    """Counting volumes by the half changes nothing."""
    doubled = [replace(pool, allocated_volumes=2 * pool.allocated_volumes) for pool in pools]
    order = [pool.host for pool in best_first(pools)]
    assert [pool.host for pool in best_first(doubled)] == order
