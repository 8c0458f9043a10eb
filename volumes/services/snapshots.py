"""What can be asked of a snapshot. Each of these answers a request, in one transaction."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from storage_project.api.faults import BadRequest
from storage_project.identity.caller import Caller
from storage_project.operations.flow import advance, record
from storage_project.operations.services import active_operations, open_operation
from volumes import quota
from volumes.models import Snapshot, Volume
from volumes.services.rows import change_row, lock_row, refuse, require_copyable
from volumes.states import SNAPSHOT_STATUSES


def create_snapshot(
    *,
    volume: Volume,
    caller: Caller,
    force: bool = False,
    name: str | None = None,
    description: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Snapshot:
    """Accept a snapshot of a volume that is available, or with `force` in use.

    It belongs to the volume's project. Raises `StateConflict` in any other status and while
    something works on the volume, `OverLimit` when the project's quota has no room.
    """
    with transaction.atomic():
        # Locked: neither deleted nor extended between this look and the row of the snapshot.
        current = lock_row(volume)
        _check_volume(current, ("available", "in-use") if force else ("available",))
        snapshot = Snapshot.objects.create(
            project_id=current.project_id,
            user_id=caller.user_id,
            volume=current,
            name=name,
            description=description,
            size_gib=current.size_gib,
            metadata=dict(metadata or {}),
        )
        operation = open_operation(
            kind="snapshot.create",
            resource=snapshot,
            project_id=snapshot.project_id,
            caller=caller,
            touches=[current],
        )
        quota.take(
            snapshot.project_id,
            quota.snapshot_charges(volume.volume_type.name, snapshot.size_gib),
            limits=quota.limits_of(snapshot.project_id),
        )
        record(snapshot, "", operation=operation)
    return snapshot


def _check_volume(volume: Volume, allowed: tuple[str, ...]) -> None:
    if volume.status not in allowed:
        raise refuse(
            volume,
            f"Volume {volume.pk} cannot be snapshotted: its status is {volume.status}, and must be "
            f"{' or '.join(allowed)}.",
        )
    if volume.pool_id is None:
        raise refuse(volume, f"Volume {volume.pk} cannot be snapshotted: it is on no backend.")
    require_copyable(volume)


def update_snapshot(*, snapshot: Snapshot, **changes: Any) -> Snapshot:
    """Set `name` or `description`."""
    return change_row(snapshot, "update", **changes)


def delete_snapshot(*, snapshot: Snapshot, caller: Caller) -> None:
    """Delete a snapshot. Raises `StateConflict` unless it is at rest."""
    with transaction.atomic():
        snapshot = lock_row(snapshot)
        operation = open_operation(
            kind="snapshot.delete",
            resource=snapshot,
            project_id=snapshot.project_id,
            caller=caller,
            was=snapshot.status,
        )
        advance(snapshot, "delete", operation=operation)


def force_delete_snapshot(*, snapshot: Snapshot, caller: Caller) -> None:
    """Delete a snapshot in whatever state it is.

    What makes it is told to stop first; a revert to it, and anything else on its volume, is waited
    for.
    """
    with transaction.atomic():
        snapshot = lock_row(snapshot)
        if snapshot.status == "deleting" and _is_being_deleted(snapshot):
            return
        operation = open_operation(
            kind="snapshot.delete",
            resource=snapshot,
            project_id=snapshot.project_id,
            caller=caller,
            waits=True,
            touches=[snapshot.volume],
            was=snapshot.status,
        )
        if snapshot.status != "deleting":
            advance(snapshot, "force_delete", operation=operation)
        # After the snapshot, as the commits of steps do: else the two could wait for each other.
        active_operations(snapshot.pk).exclude(kind="snapshot.delete").update(
            cancel_requested=True, updated_at=Now()
        )


def _is_being_deleted(snapshot: Snapshot) -> bool:
    """By itself, or with its volume."""
    operations = active_operations(snapshot.pk, snapshot.volume_id)
    return operations.filter(kind__in=("snapshot.delete", "volume.delete")).exists()


def reset_status(*, snapshot: Snapshot, status: str, caller: Caller) -> None:
    """An admin's repair of the database: set the status, whatever it was, and leave a trace."""
    if status not in SNAPSHOT_STATUSES:
        raise BadRequest(f"status: must be one of {', '.join(sorted(SNAPSHOT_STATUSES))}.")
    with transaction.atomic():
        was = lock_row(snapshot).status
        change_row(snapshot, "reset", status=status)
        record(snapshot, was, note=f"reset by {caller.user_name} ({caller.request_id})")
