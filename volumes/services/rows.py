"""A row with a status, as services take hold of it."""

from collections.abc import Collection
from typing import Any, TypeVar, cast

from django.db.models import Model
from django.utils import timezone

from storage_project.api.faults import NotFound
from storage_project.operations.flow import Flowing, StateConflict
from volumes.models import Volume

Row = TypeVar("Row", bound=Flowing)


def lock_row(row: Row) -> Row:
    """The row as it is now and stays until the transaction ends; 404 when it is gone."""
    rows: Any = cast("type[Model]", type(row))._default_manager
    locked: Row | None = rows.select_for_update().filter(pk=row.pk).first()
    if locked is None:
        raise missing(row)
    return locked


def change_row(row: Row, what: str, *, unless: Collection[str] = (), **changes: Any) -> Row:
    """Set columns that no flow guards, unless the row has one of these statuses by now."""
    now = {"updated_at": timezone.now(), **changes}
    rows: Any = cast("type[Model]", type(row))._default_manager
    if rows.filter(pk=row.pk).exclude(status__in=unless).update(**now):
        for field, value in now.items():
            setattr(row, field, value)
        return row
    status = rows.filter(pk=row.pk).values_list("status", flat=True).first()
    if status is None:
        raise missing(row)
    raise refuse(row, f"Cannot {what} {row.flow.resource} {row.pk}: its status is {status}.")


def require_copyable(volume: Volume) -> None:
    """Refuse at once what the backend cannot do: copy at one moment what is being written."""
    if volume.in_use and volume.pool and volume.pool.capabilities.get("snapshots_in_use") is False:
        raise refuse(
            volume,
            f"Volume {volume.pk} is in use, and its backend can only copy a volume at rest; detach "
            f"it first.",
        )


def require_not_copied(volume: Volume) -> None:
    """The same from the other side: nobody begins to write to a volume while it is copied so."""
    if volume.pool is None or volume.pool.capabilities.get("snapshots_in_use") is not False:
        return
    snapshots = volume.snapshots.filter(status="creating")
    copies = Volume.objects.filter(source_volume_id=volume.pk, status="creating")
    if snapshots.exists() or copies.exists():
        raise refuse(
            volume,
            f"Volume {volume.pk} is being copied, and its backend can only copy a volume at rest; "
            f"try again later.",
        )


def missing(row: Flowing) -> NotFound:
    """It has been deleted meanwhile."""
    return NotFound(row.flow.resource.capitalize(), row.pk)


def refuse(row: Flowing, sentence: str) -> StateConflict:
    """What it is now does not allow it; with the code that its flow gives to refusals."""
    return StateConflict(sentence, row.flow.refusal_code)
