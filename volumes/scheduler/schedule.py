"""The scheduler: filter the pools, put those that pass in order, say why the others do not.

    ranking = rank(request, pools)
    ranking.candidates      the pools to try, best first
    ranking.refusals        host -> why not, for every other pool
    ranking.explain()       both, as a sentence

Ranking reserves nothing. Another scheduler may take the space meanwhile, so the reservation is a
conditional UPDATE against `capacity.limit_gib`; who loses it goes on to the next candidate.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from volumes.scheduler.filters import FILTERS
from volumes.scheduler.request import PoolState, VolumeRequest
from volumes.scheduler.weighers import best_first


@dataclass(frozen=True, slots=True)
class Ranking:
    """Every pool is either among the candidates, best first, or refused with a reason."""

    request: VolumeRequest
    candidates: tuple[PoolState, ...]
    refusals: Mapping[str, str]

    def explain(self) -> str:
        """One sentence that names every pool, and the reason against each that was refused."""
        if not self.candidates:
            return explain_refusals(self.request.size_gib, self.refusals)
        hosts = " or ".join(pool.host for pool in self.candidates)
        accepted = f"This volume of {self.request.size_gib} GiB can go to {hosts}"
        return "; ".join([accepted, *_clauses(self.refusals)]) + "."


def rank(request: VolumeRequest, pools: Iterable[PoolState]) -> Ranking:
    """Decide about every pool. In which order they are given makes no difference."""
    candidates: list[PoolState] = []
    refusals: dict[str, str] = {}
    for pool in sorted(pools, key=lambda pool: pool.host):
        reason = refusal(request, pool)
        if reason is None:
            candidates.append(pool)
        else:
            refusals[pool.host] = reason
    return Ranking(request, best_first(candidates), refusals)


def refusal(request: VolumeRequest, pool: PoolState) -> str | None:
    """The reason of the first filter that refuses the pool; None when all let it pass."""
    reasons = (refuses(request, pool) for refuses in FILTERS)
    return next((reason for reason in reasons if reason is not None), None)


def explain_refusals(size_gib: int, refusals: Mapping[str, str]) -> str:
    """One sentence on why the volume has no place: host -> what was wrong there.

    The caller may add what went wrong later, when a candidate was tried ("failed: ...").
    """
    reasons = "; ".join(_clauses(refusals)) or "none has reported a pool"
    return f"No backend can take this volume of {size_gib} GiB: {reasons}."


def _clauses(refusals: Mapping[str, str]) -> list[str]:
    return [f"{host} {reason}" for host, reason in refusals.items()]
