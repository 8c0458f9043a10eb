"""Pools and requests for the scheduler's tests: one of each by hand, and any of them at random."""

from typing import Any

from hypothesis import strategies as st

from volumes.scheduler.request import PoolState, VolumeRequest


def a_pool(name: str = "fast", **changes: Any) -> PoolState:
    """An empty thick pool of 100 GiB that takes whatever fits."""
    state: dict[str, Any] = {
        "id": 1,
        "host": f"box@{name}#{name}",
        "backend_name": name,
        "availability_zone": "nova",
        "enabled": True,
        "disabled_reason": "",
        "up": True,
        "total_gib": 100.0,
        "free_gib": 100.0,
        "allocated_gib": 0,
        "allocated_volumes": 0,
        "thin": False,
        "max_over_subscription_ratio": 1.0,
        "reserved_percentage": 0,
        "preference": 0,
        "capabilities": {},
    }
    return PoolState(**state | changes)


HOSTS = [f"box@backend{number}#pool" for number in range(5)]
ZONES = st.sampled_from(["nova", "nova", "nova", "az2"])
MOSTLY = st.sampled_from([True, True, True, True, False])
HINTS = st.none() | st.frozensets(st.sampled_from(HOSTS))
DEMANDS = st.sampled_from(
    [
        {},
        {"vendor:anything": "whatever"},
        {"RESKEY:availability_zones": "nova, az3"},
        {"volume_backend_name": "backend1"},
        {"compression": "<is> True"},
        {"capabilities:iops": ">= 500", "tier": "s!= b"},
        {"tier": "<or> a <or> c", "thin_provisioning_support": "<is> True"},
    ]
)


@st.composite
def pool_states(draw: st.DrawFn, host: str | None = None) -> PoolState:
    """Any pool; most can take a volume of usual size, for else nothing is left to put in order."""
    host = host or draw(st.sampled_from(HOSTS))
    total_gib = draw(st.floats(100, 2000) | st.floats(0, 2000))
    return PoolState(
        id=HOSTS.index(host),
        host=host,
        backend_name=host.removeprefix("box@").removesuffix("#pool"),
        availability_zone=draw(ZONES),
        enabled=draw(MOSTLY),
        disabled_reason=draw(st.sampled_from(["", "maintenance"])),
        up=draw(MOSTLY),
        total_gib=total_gib,
        free_gib=draw(st.floats(total_gib / 2, total_gib) | st.floats(0, total_gib)),
        allocated_gib=draw(st.integers(0, 50) | st.integers(0, 2000)),
        allocated_volumes=draw(st.integers(0, 100)),
        thin=draw(MOSTLY),
        max_over_subscription_ratio=draw(st.floats(1, 20)),
        reserved_percentage=draw(st.just(0) | st.integers(0, 99)),
        preference=draw(st.integers(-1, 1)),
        capabilities={
            "compression": draw(MOSTLY),
            "iops": draw(st.integers(0, 1000)),
            "tier": draw(st.sampled_from("abc")),
        },
    )


@st.composite
def pool_lists(draw: st.DrawFn) -> list[PoolState]:
    """Pools of different names."""
    hosts = draw(st.permutations(HOSTS))[: draw(st.integers(0, len(HOSTS)))]
    return [draw(pool_states(host=host)) for host in hosts]


REQUESTS = st.builds(
    VolumeRequest,
    size_gib=st.integers(1, 50) | st.integers(1, 2000),
    availability_zone=st.none() | ZONES,
    extra_specs=st.just({}) | DEMANDS,
    same_host_pools=st.none() | HINTS,
    different_host_pools=st.none() | HINTS,
    repository=st.none() | st.just("main"),
    repository_machines=st.frozensets(st.sampled_from(["box", "crate"])),
)
