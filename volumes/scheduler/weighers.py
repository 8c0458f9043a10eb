"""The weighers: which of the pools that can take a volume should be tried first.

The operator's preference decides. Pools of equal preference are ordered by score, so that volumes
spread out; pools of equal score by name, so that the order never depends on chance.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from volumes.scheduler.capacity import room_gib
from volumes.scheduler.request import PoolState


@dataclass(frozen=True, slots=True)
class Weigher:
    """A measure that is never negative, and how much it counts; below 0, less is better.

    It is taken relative to the largest among the pools: units do not matter, and a small
    difference between pools stays small.
    """

    measure: Callable[[PoolState], float]
    multiplier: float


WEIGHERS: tuple[Weigher, ...] = (
    Weigher(room_gib, 1.0),
    Weigher(attrgetter("allocated_volumes"), -0.5),
)


def best_first(pools: Sequence[PoolState]) -> tuple[PoolState, ...]:
    """Pools that can take the volume, in the order in which to try them."""
    scales = [max(map(weigher.measure, pools), default=0) or 1 for weigher in WEIGHERS]

    def score(pool: PoolState) -> float:
        return sum(
            weigher.multiplier * weigher.measure(pool) / scale
            for weigher, scale in zip(WEIGHERS, scales, strict=True)
        )

    return tuple(sorted(pools, key=lambda pool: (-pool.preference, -score(pool), pool.host)))
