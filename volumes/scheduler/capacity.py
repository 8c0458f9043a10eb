"""How much a pool can take: Cinder's arithmetic of reserve and over-subscription.

The reserve is a share of the total. A thin pool may be promised beyond its size, up to the ratio;
a thick one may not. Volumes are whole GiB, so what can be promised is rounded down.
"""

import math
from typing import Protocol


class Room(Protocol):
    """The part of a pool that the arithmetic looks at; a row of pools has it too."""

    @property
    def total_gib(self) -> float: ...
    @property
    def free_gib(self) -> float: ...
    @property
    def allocated_gib(self) -> int: ...
    @property
    def thin(self) -> bool: ...
    @property
    def max_over_subscription_ratio(self) -> float: ...
    @property
    def reserved_percentage(self) -> int: ...


def limit_gib(pool: Room) -> int:
    """The most that the sizes of all volumes in the pool may add up to."""
    usable = pool.total_gib * (100 - pool.reserved_percentage) / 100
    return math.floor(usable * _promises_per_gib(pool))


def promisable_gib(pool: Room) -> int:
    """The most that may be promised on the space that is physically free outside the reserve."""
    return math.floor((pool.free_gib - reserve_gib(pool)) * _promises_per_gib(pool))


def room_gib(pool: Room) -> int:
    """The size of the largest volume that the pool can take now; negative when over its limit."""
    return min(limit_gib(pool) - pool.allocated_gib, promisable_gib(pool))


def reserve_gib(pool: Room) -> float:
    """The space that the operator keeps free, for what is written without being promised."""
    return pool.total_gib * pool.reserved_percentage / 100


def _promises_per_gib(pool: Room) -> float:
    return pool.max_over_subscription_ratio if pool.thin else 1.0
