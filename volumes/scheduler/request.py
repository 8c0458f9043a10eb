"""What the scheduler is told: the volume that is wanted, and each pool as it is now."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeRequest:
    """The volume to place.

    The two sets are the hints `same_host` and `different_host`, with each volume that they name
    replaced by the pool that holds it. None is "no such hint"; an empty set of `same_host_pools`
    is a hint that no pool can honour, for none of the named volumes has a pool.

    With a `repository`, the volume is to get the content of a backup there, which only the
    `repository_machines` reach.
    """

    size_gib: int
    availability_zone: str | None = None
    extra_specs: Mapping[str, str] = field(default_factory=dict)
    same_host_pools: frozenset[str] | None = None
    different_host_pools: frozenset[str] | None = None
    repository: str | None = None
    repository_machines: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """One pool: what its driver measured, and what has been promised there.

    `total_gib` and `free_gib` are physical and finite. `allocated_gib` is the sum of the sizes of
    the volumes placed here, written or not. Nothing has a default: a forgotten fact must not make
    a pool look better or worse than it is.
    """

    id: int
    host: str  # host@backend#pool
    backend_name: str
    availability_zone: str
    enabled: bool
    disabled_reason: str  # empty when none was given
    up: bool
    total_gib: float
    free_gib: float
    allocated_gib: int
    allocated_volumes: int
    thin: bool
    max_over_subscription_ratio: float
    reserved_percentage: int
    preference: int
    capabilities: Mapping[str, Any]  # values are JSON
