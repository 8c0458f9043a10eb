from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.volumes.scheduler.pools import a_pool, pool_states
from volumes.scheduler.filters import (
    beyond_reach,
    breaks_hint,
    disabled,
    down,
    lacks_capability,
    lacks_space,
    wrong_zone,
)
from volumes.scheduler.request import PoolState, VolumeRequest


def a_request(size_gib: int = 10, **demands: Any) -> VolumeRequest:
    return VolumeRequest(size_gib=size_gib, **demands)


def test_zone_of_the_request() -> None:
    pool = a_pool(availability_zone="nova")
    assert wrong_zone(a_request(), pool) is None
    assert wrong_zone(a_request(availability_zone="nova"), pool) is None
    assert (
        wrong_zone(a_request(availability_zone="az2"), pool)
        == "is in availability zone nova, not in az2"
    )


def test_zones_of_the_type() -> None:
    pool = a_pool(availability_zone="nova")
    offered = {"RESKEY:availability_zones": "az2,nova"}
    elsewhere = {"RESKEY:availability_zones": "az2,az3"}
    assert wrong_zone(a_request(extra_specs=offered), pool) is None
    assert (
        wrong_zone(a_request(extra_specs=elsewhere, availability_zone="nova"), pool)
        == "is in availability zone nova, where this volume type is not offered"
    )


def test_machines_that_reach_a_repository() -> None:
    pool = a_pool()
    assert beyond_reach(a_request(), pool) is None
    here = a_request(repository="main", repository_machines=frozenset({"box", "crate"}))
    assert beyond_reach(here, pool) is None
    elsewhere = a_request(repository="main", repository_machines=frozenset({"bo"}))
    assert beyond_reach(elsewhere, pool) == "does not reach the repository main of the backup"


def test_capabilities_of_the_driver() -> None:
    pool = a_pool(capabilities={"compression": False, "multiattach": True})
    assert lacks_capability(a_request(extra_specs={"multiattach": "<is> True"}), pool) is None
    demands = {"compression": "true", "iops": ">= 500", "multiattach": "<is> True"}
    assert (
        lacks_capability(a_request(extra_specs=demands), pool)
        == "does not offer compression=true or iops >= 500"
    )


@pytest.mark.parametrize(
    ("key", "met", "unmet"),
    [
        ("volume_backend_name", "fast", "slow"),
        ("thin_provisioning_support", "<is> False", "<is> True"),
        ("thick_provisioning_support", "<is> True", "<is> False"),
    ],
)
def test_what_khoi_knows_of_a_pool_is_a_capability_too(key: str, met: str, unmet: str) -> None:
    pool = a_pool("fast", thin=False, capabilities={key: "a driver cannot say otherwise"})
    assert lacks_capability(a_request(extra_specs={key: met}), pool) is None
    assert lacks_capability(a_request(extra_specs={key: unmet}), pool) is not None


def test_hint_same_host() -> None:
    pool = a_pool()
    reason = "holds none of the volumes that this one is to be placed with"
    assert breaks_hint(a_request(same_host_pools=frozenset({pool.host})), pool) is None
    assert breaks_hint(a_request(same_host_pools=frozenset({"box@b#b"})), pool) == reason
    # The hint names volumes that have no pool: better no place than a wrong one.
    assert breaks_hint(a_request(same_host_pools=frozenset()), pool) == reason


def test_hint_different_host() -> None:
    pool = a_pool()
    assert breaks_hint(a_request(different_host_pools=frozenset({"box@b#b"})), pool) is None
    assert breaks_hint(a_request(different_host_pools=frozenset()), pool) is None
    assert (
        breaks_hint(a_request(different_host_pools=frozenset({pool.host})), pool)
        == "holds a volume that this one is to be kept apart from"
    )


def test_disabled_and_down() -> None:
    request = a_request()
    assert disabled(request, a_pool()) is None
    assert disabled(request, a_pool(enabled=False)) == "is disabled"
    maintenance = a_pool(enabled=False, disabled_reason="maintenance")
    assert disabled(request, maintenance) == "is disabled (maintenance)"
    assert down(request, a_pool()) is None
    assert down(request, a_pool(up=False)) == "is down"


def test_space_that_is_not_there() -> None:
    pool = a_pool(total_gib=40.0, free_gib=12.0, allocated_gib=28)
    assert lacks_space(a_request(12), pool) is None
    assert lacks_space(a_request(50), pool) == "has 12 GiB free of 40 GiB"


def test_space_that_is_reserved_is_mentioned() -> None:
    pool = a_pool(total_gib=40.0, free_gib=12.0, reserved_percentage=10)
    assert lacks_space(a_request(10), pool) == "has 12 GiB free of 40 GiB, 4 GiB of it reserved"


def test_space_that_is_free_but_promised() -> None:
    pool = a_pool(thin=True, max_over_subscription_ratio=2.0, allocated_gib=195)
    assert lacks_space(a_request(10), pool) == "has promised 195 GiB of at most 200 GiB"


def test_sizes_are_rounded_down() -> None:
    pool = a_pool(total_gib=40.0, free_gib=11.99)
    assert lacks_space(a_request(12), pool) == "has 11.9 GiB free of 40 GiB"


@given(pool=pool_states(), size_gib=st.integers(1, 3000), less_gib=st.integers(1, 3000))
def test_pool_that_takes_a_volume_takes_a_smaller_one(
    pool: PoolState, size_gib: int, less_gib: int
) -> None:
    if lacks_space(a_request(max(size_gib, less_gib)), pool) is None:
        assert lacks_space(a_request(min(size_gib, less_gib)), pool) is None
