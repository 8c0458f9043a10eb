from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.volumes.scheduler.pools import REQUESTS, a_pool, pool_lists, pool_states
from volumes.scheduler.capacity import limit_gib
from volumes.scheduler.filters import FILTERS
from volumes.scheduler.request import PoolState, VolumeRequest
from volumes.scheduler.schedule import explain_refusals, rank, refusal


def test_candidates_come_best_first_and_the_others_with_a_reason() -> None:
    small, large = a_pool("small", free_gib=60.0), a_pool("large", total_gib=200.0, free_gib=200.0)
    off = a_pool("off", enabled=False)
    ranking = rank(VolumeRequest(size_gib=50), [small, off, large])
    assert ranking.candidates == (large, small)
    assert ranking.refusals == {"box@off#off": "is disabled"}
    assert ranking.explain() == (
        "This volume of 50 GiB can go to box@large#large or box@small#small; "
        "box@off#off is disabled."
    )


def test_explanation_when_no_pool_is_left() -> None:
    offers = {"compression": True}
    pools = [
        a_pool("fast", total_gib=40.0, free_gib=12.0, capabilities=offers),
        a_pool("slow", enabled=False, disabled_reason="maintenance", capabilities=offers),
        a_pool("ssd"),
    ]
    ranking = rank(VolumeRequest(size_gib=50, extra_specs={"compression": "true"}), pools)
    assert ranking.candidates == ()
    assert ranking.explain() == (
        "No backend can take this volume of 50 GiB: "
        "box@fast#fast has 12 GiB free of 40 GiB; "
        "box@slow#slow is disabled (maintenance); "
        "box@ssd#ssd does not offer compression=true."
    )


def test_explanation_without_any_pool() -> None:
    assert rank(VolumeRequest(size_gib=1), []).explain() == (
        "No backend can take this volume of 1 GiB: none has reported a pool."
    )


def test_failures_met_later_join_the_refusals() -> None:
    ranking = rank(VolumeRequest(size_gib=1), [a_pool("off", enabled=False), a_pool("on")])
    failures = {"box@on#on": "failed: the backend is out of space"}
    assert explain_refusals(1, {**ranking.refusals, **failures}) == (
        "No backend can take this volume of 1 GiB: "
        "box@off#off is disabled; box@on#on failed: the backend is out of space."
    )


def test_lasting_reason_is_told_before_a_passing_one() -> None:
    request = VolumeRequest(size_gib=500, extra_specs={"compression": "true"})
    assert refusal(request, a_pool(enabled=False, up=False)) == "does not offer compression=true"


@given(request=REQUESTS, pools=pool_lists())
def test_every_pool_is_candidate_or_refused(request: VolumeRequest, pools: list[PoolState]) -> None:
    ranking = rank(request, pools)
    decided = [pool.host for pool in ranking.candidates] + list(ranking.refusals)
    assert sorted(decided) == sorted(pool.host for pool in pools)
    assert all(ranking.refusals.values())


@given(request=REQUESTS, pools=pool_lists())
def test_candidate_passes_every_filter_and_a_refused_pool_fails_one(
    request: VolumeRequest, pools: list[PoolState]
) -> None:
    ranking = rank(request, pools)
    for pool in pools:
        passes = all(refuses(request, pool) is None for refuses in FILTERS)
        assert passes == (pool in ranking.candidates)


@given(request=REQUESTS, pools=pool_lists(), data=st.data())
def test_order_of_the_pools_makes_no_difference(
    request: VolumeRequest, pools: list[PoolState], data: st.DataObject
) -> None:
    shuffled = rank(request, data.draw(st.permutations(pools)))
    ranking = rank(request, pools)
    assert shuffled == ranking
    assert shuffled.explain() == ranking.explain()


@given(request=REQUESTS, pools=pool_lists())
def test_explanation_names_every_pool_and_every_reason(
    request: VolumeRequest, pools: list[PoolState]
) -> None:
    ranking = rank(request, pools)
    explanation = ranking.explain()
    assert all(pool.host in explanation for pool in pools)
    assert all(reason in explanation for reason in ranking.refusals.values())
    assert explanation.startswith("No backend can take") == (not ranking.candidates)


@given(request=REQUESTS, pools=pool_lists(), more=st.integers(0, 500))
def test_smaller_volume_and_larger_pools_lose_no_candidate(
    request: VolumeRequest, pools: list[PoolState], more: int
) -> None:
    hosts = {pool.host for pool in rank(request, pools).candidates}
    smaller = replace(request, size_gib=max(1, request.size_gib - more))
    # Free space grows with the total, as when disks are added to a pool.
    larger = [
        replace(pool, total_gib=pool.total_gib + more, free_gib=pool.free_gib + more)
        for pool in pools
    ]
    assert hosts <= {pool.host for pool in rank(smaller, pools).candidates}
    assert hosts <= {pool.host for pool in rank(request, larger).candidates}


@given(request=REQUESTS, pools=pool_lists(), newcomer=pool_states(host="box@backend0#pool"))
def test_pool_is_judged_for_itself(
    request: VolumeRequest, pools: list[PoolState], newcomer: PoolState
) -> None:
    others = [pool for pool in pools if pool.host != newcomer.host]
    alone, together = rank(request, others), rank(request, [*others, newcomer])
    assert set(together.refusals) - {newcomer.host} == set(alone.refusals)


@given(pool=pool_states(), sizes=st.lists(st.integers(1, 500), max_size=30))
def test_placing_volumes_one_by_one_never_exceeds_the_limit(
    pool: PoolState, sizes: list[int]
) -> None:
    pool = replace(pool, allocated_gib=0, enabled=True, up=True)
    for size_gib in sizes:
        if rank(VolumeRequest(size_gib=size_gib), [pool]).candidates:
            pool = replace(pool, allocated_gib=pool.allocated_gib + size_gib)
    assert pool.allocated_gib <= limit_gib(pool)
