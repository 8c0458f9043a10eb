from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.volumes.scheduler.pools import a_pool, pool_states
from volumes.scheduler.capacity import limit_gib, promisable_gib, room_gib
from volumes.scheduler.request import PoolState


def test_thick_pool_is_never_promised_beyond_its_size() -> None:
    pool = a_pool(max_over_subscription_ratio=20.0, allocated_gib=30, free_gib=60.0)
    assert limit_gib(pool) == 100
    assert room_gib(pool) == 60


def test_thin_pool_is_promised_up_to_the_ratio() -> None:
    pool = a_pool(thin=True, max_over_subscription_ratio=2.0, allocated_gib=150)
    assert limit_gib(pool) == 200
    assert room_gib(pool) == 50


def test_thin_pool_that_is_physically_full_takes_nothing() -> None:
    assert room_gib(a_pool(thin=True, max_over_subscription_ratio=20.0, free_gib=0.0)) == 0


def test_reserve_is_a_share_of_the_total_not_of_what_is_free() -> None:
    pool = a_pool(reserved_percentage=10, free_gib=12.0)
    assert limit_gib(pool) == 90
    assert promisable_gib(pool) == 2


def test_reserve_counts_before_the_ratio() -> None:
    pool = a_pool(thin=True, max_over_subscription_ratio=2.0, reserved_percentage=10)
    assert limit_gib(pool) == promisable_gib(pool) == 180


@pytest.mark.parametrize("reserved_percentage", range(100))
def test_whole_percents_of_a_whole_size_are_exact(reserved_percentage: int) -> None:
    pool = a_pool(reserved_percentage=reserved_percentage)
    assert limit_gib(pool) == promisable_gib(pool) == 100 - reserved_percentage


def test_pool_over_its_limit_has_negative_room() -> None:
    assert room_gib(a_pool(allocated_gib=110)) == -10


@given(pool=pool_states(), growth=st.integers(1, 100))
def test_room_shrinks_with_what_is_promised_and_grows_with_what_is_free(
    pool: PoolState, growth: int
) -> None:
    assert room_gib(replace(pool, allocated_gib=pool.allocated_gib + growth)) <= room_gib(pool)
    assert room_gib(replace(pool, free_gib=pool.free_gib + growth)) >= room_gib(pool)


@given(pool=pool_states(), ratio=st.floats(1, 20))
def test_ratio_matters_to_thin_pools_only(pool: PoolState, ratio: float) -> None:
    other = replace(pool, max_over_subscription_ratio=ratio)
    if not pool.thin:
        assert limit_gib(other) == limit_gib(pool)
    elif ratio >= pool.max_over_subscription_ratio:
        assert limit_gib(other) >= limit_gib(pool)
