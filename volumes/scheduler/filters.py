"""The filters: each answers why a pool cannot take a volume, or None when it can.

A reason continues a sentence that begins with the name of the pool, and is fit for a tenant.
A new filter is one function and its place in `FILTERS`.
"""

import math
from collections.abc import Callable

from volumes.scheduler.capacity import limit_gib, promisable_gib, reserve_gib, room_gib
from volumes.scheduler.extra_specs import type_zones, unmet_demands
from volumes.scheduler.request import PoolState, VolumeRequest

Filter = Callable[[VolumeRequest, PoolState], str | None]


def wrong_zone(request: VolumeRequest, pool: PoolState) -> str | None:
    zone = pool.availability_zone
    if request.availability_zone and request.availability_zone != zone:
        return f"is in availability zone {zone}, not in {request.availability_zone}"
    allowed = type_zones(request.extra_specs)
    if allowed and zone not in allowed:
        return f"is in availability zone {zone}, where this volume type is not offered"
    return None


def lacks_capability(request: VolumeRequest, pool: PoolState) -> str | None:
    known = {
        "volume_backend_name": pool.backend_name,
        "thin_provisioning_support": pool.thin,
        "thick_provisioning_support": not pool.thin,
    }
    unmet = unmet_demands(request.extra_specs, {**pool.capabilities, **known})
    return f"does not offer {' or '.join(unmet)}" if unmet else None


def breaks_hint(request: VolumeRequest, pool: PoolState) -> str | None:
    together, apart = request.same_host_pools, request.different_host_pools
    if together is not None and pool.host not in together:
        return "holds none of the volumes that this one is to be placed with"
    if apart is not None and pool.host in apart:
        return "holds a volume that this one is to be kept apart from"
    return None


def beyond_reach(request: VolumeRequest, pool: PoolState) -> str | None:
    machine = pool.host.partition("@")[0]
    if request.repository is None or machine in request.repository_machines:
        return None
    return f"does not reach the repository {request.repository} of the backup"


def disabled(_: VolumeRequest, pool: PoolState) -> str | None:
    if pool.enabled:
        return None
    return f"is disabled ({pool.disabled_reason})" if pool.disabled_reason else "is disabled"


def down(_: VolumeRequest, pool: PoolState) -> str | None:
    return None if pool.up else "is down"


def lacks_space(request: VolumeRequest, pool: PoolState) -> str | None:
    if request.size_gib <= room_gib(pool):
        return None
    if request.size_gib <= promisable_gib(pool):
        return f"has promised {pool.allocated_gib} GiB of at most {limit_gib(pool)} GiB"
    reserve = f", {_gib(reserve_gib(pool))} of it reserved" if pool.reserved_percentage else ""
    return f"has {_gib(pool.free_gib)} free of {_gib(pool.total_gib)}{reserve}"


# The first reason is the one that is told. What will not change by itself comes first: nobody
# should wait for a backend to come up and then learn that it never had what the type demands.
# A backend that is down comes before its space, which is then an old measurement.
FILTERS: tuple[Filter, ...] = (
    wrong_zone,
    lacks_capability,
    breaks_hint,
    beyond_reach,
    disabled,
    down,
    lacks_space,
)


def _gib(size: float) -> str:
    """Rounded down, so that a pool never seems to have the very size that it refused."""
    return f"{math.floor(size * 10) / 10:.1f}".removesuffix(".0") + " GiB"
