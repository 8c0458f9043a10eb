"""State machines as data, and the one way in which a status moves.

A `Flow` is a table of permitted moves. `advance()` makes one of them with a single compare-and-swap
UPDATE: either the row was in one of the move's sources and is now in its target, with a history row
beside it, or nothing changed and `StateConflict` says what the status is.

    available --delete--> deleting --(deleted)--> row gone
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, cast
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from storage_project.api.faults import Conflict
from storage_project.operations.models import Operation, Transition


class StateConflict(Conflict):
    """The row is not in a state from which this move is permitted. Nothing was changed."""

    def __init__(self, message: str, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code


@dataclass(frozen=True, slots=True)
class Move:
    """One permitted change: from any of `sources` to `target` (or to one of several)."""

    name: str
    sources: frozenset[str]
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Flow:
    """All moves of one kind of resource.

    `transitional` are the statuses that an operation owns and will leave; a row found in one
    of them without an active operation is a defect. `refusal_code` is the HTTP status of a refused
    move; Cinder answers 400 for volumes, and its clients expect that.
    """

    resource: str
    statuses: tuple[str, ...]
    transitional: frozenset[str]
    moves: dict[str, Move] = field(default_factory=dict)
    refusal_code: int = 409

    @classmethod
    def of(
        cls,
        resource: str,
        *,
        statuses: Iterable[str],
        transitional: Iterable[str],
        moves: dict[str, tuple[Iterable[str], str | tuple[str, ...]]],
        refusal_code: int = 409,
    ) -> "Flow":
        """Build a flow from `{move: ((source, …), target)}`, refusing an unknown status."""
        known = tuple(statuses)
        table = {}
        for name, (sources, target) in moves.items():
            targets = (target,) if isinstance(target, str) else tuple(target)
            strange = {*sources, *targets} - set(known)
            if strange:
                raise ValueError(f"{resource}.{name}: unknown status {', '.join(sorted(strange))}")
            table[name] = Move(name, frozenset(sources), targets)
        return cls(resource, known, frozenset(transitional), table, refusal_code)

    def permits(self, was: str, became: str) -> bool:
        """Whether any move leads from `was` to `became`."""
        return any(was in move.sources and became in move.targets for move in self.moves.values())


class Flowing(Protocol):
    """A model whose `status` follows a flow."""

    flow: ClassVar[Flow]
    pk: UUID
    status: str


def advance(
    row: Flowing,
    move_name: str,
    *,
    operation: Operation | None = None,
    to: str | None = None,
    where: Q | None = None,
    note: str = "",
    **values: Any,
) -> None:
    """Move `row` by one compare-and-swap UPDATE, setting `values` with it.

    `to` picks the target where the move has several; `where` adds conditions beyond the status.
    Raises `StateConflict` when no row matched. `row` is brought up to date in memory. Call it
    inside a transaction: the history row belongs to the same commit.
    """
    move = row.flow.moves[move_name]
    target = to or move.targets[0]
    if target not in move.targets:
        raise ValueError(f"{row.flow.resource}.{move_name} does not lead to {target}")
    # Where only one status leads on, the row need not be read to know what it was.
    was = min(move.sources) if len(move.sources) == 1 else row.status
    model = cast("type[models.Model]", type(row))
    rows = model._default_manager.filter(pk=row.pk, status=was)
    if where is not None:
        rows = rows.filter(where)
    if was not in move.sources or not rows.update(status=target, updated_at=Now(), **values):
        raise conflict(row, move)
    row.status = target
    for name, value in values.items():
        setattr(row, name, value)
    record(row, was, operation=operation, note=note)


def advance_if_possible(row: Flowing, move_name: str, **values: Any) -> bool:
    """`advance()` for the last words of a failed operation: somebody may have forced the status
    elsewhere meanwhile, and then whoever did that goes on with it."""
    try:
        advance(row, move_name, **values)
    except StateConflict:
        return False
    return True


def conflict(row: Flowing, move: Move) -> StateConflict:
    """The sentence for a refused move, with the status as it is now."""
    model = cast("type[models.Model]", type(row))
    now = model._default_manager.filter(pk=row.pk).values_list("status", flat=True).first()
    wanted = ", ".join(sorted(move.sources))
    return StateConflict(
        f"{row.flow.resource.capitalize()} {row.pk} cannot {move.name.replace('_', ' ')}: "
        f"its status is {now or 'deleted'}, and must be one of: {wanted}.",
        row.flow.refusal_code,
    )


def record(
    row: Flowing, was: str, *, operation: Operation | None = None, note: str = ""
) -> Transition:
    """Write the history row of a status that has moved from `was` to what `row` says.

    An operation that nobody has claimed yet is only being opened: no step moved the status.
    """
    return Transition.objects.create(
        operation=operation,
        resource_type=row.flow.resource,
        resource_id=row.pk,
        step=operation.step if operation and operation.owner else "",
        was=was,
        became=row.status,
        note=note,
    )
