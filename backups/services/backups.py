"""What can be asked of a backup, besides restoring it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from backups.models import Backup
from backups.repositories import repositories_beside
from backups.selectors import latest_backup
from backups.states import STATUSES
from storage_project.api.faults import BadRequest, ServiceUnavailable
from storage_project.identity.caller import Caller
from storage_project.operations.flow import advance, record
from storage_project.operations.services import active_operations, open_operation
from volumes import quota
from volumes.models import Service, Snapshot, Volume
from volumes.pools import placed
from volumes.services.rows import change_row, lock_row, refuse, require_copyable


def create_backup(
    *,
    volume: Volume,
    caller: Caller,
    snapshot: Snapshot | None = None,
    name: str | None = None,
    description: str | None = None,
    metadata: Mapping[str, str] | None = None,
    container: str | None = None,
    availability_zone: str | None = None,
    incremental: bool = False,
    or_full: bool = False,
    force: bool = False,
    schedule_id: UUID | None = None,
) -> Backup:
    """Accept a backup of a volume, or of what one of its snapshots keeps; it belongs to the
    volume's project.

    The volume must be available, or with `force` in use; for that of a snapshot only the snapshot
    counts. `container` is the repository, by default one that the volume's machine reaches.
    Raises `StateConflict` in any other status, `BadRequest` for a repository that there is not, and
    for an `incremental` one without a backup to compare with (unless it may be an `or_full` one),
    `OverLimit` when the project's quota has no room, `ServiceUnavailable` where there is no
    repository at all.
    """
    with transaction.atomic():
        # Locked: nothing else begins on it between this look and the end of its status.
        volume = lock_row(volume)
        snapshot = snapshot and lock_row(snapshot)
        _check_source(volume, snapshot, force=force)
        container, service = _choose_repository(volume, container, availability_zone)
        parent = latest_backup(volume, container) if incremental else None
        if incremental and parent is None and not or_full:
            raise BadRequest(
                f"incremental: volume {volume.pk} has no backup in {container} that it could be "
                f"compared with; make a full one first."
            )
        backup = Backup.objects.create(
            project_id=volume.project_id,
            user_id=caller.user_id,
            name=name,
            description=description,
            size_gib=snapshot.size_gib if snapshot else volume.size_gib,
            metadata=dict(metadata or {}),
            volume_id=volume.pk,
            snapshot_id=snapshot.pk if snapshot else None,
            parent_id=parent.pk if parent else None,
            volume_properties=_properties_of(volume),
            container=container,
            domain=volume.project_id,
            availability_zone=service.availability_zone,
            data_timestamp=snapshot.created_at if snapshot else None,
            schedule_id=schedule_id,
        )
        operation = open_operation(
            kind="backup.create",
            resource=backup,
            project_id=backup.project_id,
            caller=caller,
            touches=[snapshot or volume],
            volume_id=str(volume.pk),
        )
        quota.take(
            backup.project_id,
            quota.backup_charges(backup.size_gib),
            limits=quota.limits_of(backup.project_id),
        )
        record(backup, "", operation=operation)
        advance(snapshot or volume, "back_up", operation=operation)
    return backup


def _check_source(volume: Volume, snapshot: Snapshot | None, *, force: bool) -> None:
    if snapshot is not None:
        if snapshot.volume_id != volume.pk:
            raise BadRequest(f"snapshot_id: {snapshot.pk} is no snapshot of volume {volume.pk}.")
        return
    allowed = ("available", "in-use") if force else ("available",)
    if volume.status not in allowed:
        hint = " Say force to back it up while it is used." if volume.status == "in-use" else ""
        raise refuse(
            volume,
            f"Volume {volume.pk} cannot be backed up: its status is {volume.status}, and must be "
            f"{' or '.join(allowed)}.{hint}",
        )
    if volume.pool_id is None:
        raise refuse(volume, f"Volume {volume.pk} cannot be backed up: it is on no backend.")
    require_copyable(volume)


def _choose_repository(
    volume: Volume, container: str | None, zone: str | None
) -> tuple[str, Service]:
    found = repositories_beside(placed(volume))
    beside = {name: service for name, service in found.items() if service.enabled}
    if not beside:
        raise ServiceUnavailable("No repository takes backups where the volume is.")
    if zone is not None:
        beside = {name: each for name, each in beside.items() if each.availability_zone == zone}
        if not beside:
            raise BadRequest(f"Availability zone '{zone}' is invalid: no repository is in it.")
    name = container or next(iter(beside))
    if name not in beside:
        raise BadRequest(f"container: there is no repository {name}; known: {', '.join(beside)}.")
    return name, beside[name]


def _properties_of(volume: Volume) -> dict[str, Any]:
    """What is kept of a volume beside its content."""
    return {
        "name": volume.name,
        "description": volume.description,
        "volume_type": volume.volume_type.name,
        "bootable": volume.bootable,
        "metadata": volume.metadata,
    }


def update_backup(*, backup: Backup, **changes: Any) -> Backup:
    """Set `name`, `description`, all of `metadata`, or whether it is `protected`: 400 for one that
    is being deleted already."""
    too_late = ("deleting",) if changes.get("protected") else ()
    return change_row(backup, "update", unless=too_late, **changes)


def delete_backup(*, backup: Backup, caller: Caller) -> None:
    """Delete a backup, whatever was compared with it; who only reads it is told to stop. Raises
    `StateConflict` unless it is at rest, `BadRequest` while it is protected."""
    with transaction.atomic():
        backup = lock_row(backup)
        _require_unprotected(backup)
        operation = open_operation(
            kind="backup.delete",
            resource=backup,
            project_id=backup.project_id,
            caller=caller,
            was=backup.status,
        )
        advance(backup, "delete", operation=operation)
        active_operations(backup.pk).exclude(pk=operation.pk).update(
            cancel_requested=True, updated_at=Now()
        )


def force_delete_backup(*, backup: Backup, caller: Caller) -> None:
    """Delete a backup in whatever state it is; what works on it is told to stop first. Raises
    `BadRequest` while it is protected."""
    with transaction.atomic():
        backup = lock_row(backup)
        _require_unprotected(backup)
        others = active_operations(backup.pk)
        if backup.status == "deleting" and others.filter(kind="backup.delete").exists():
            return  # it is being deleted already
        operation = open_operation(
            kind="backup.delete",
            resource=backup,
            project_id=backup.project_id,
            caller=caller,
            waits=True,
            was=backup.status,
        )
        if backup.status != "deleting":
            advance(backup, "force_delete", operation=operation)
        # After the backup, as the commits of steps do: else the two could wait for each other.
        active_operations(backup.pk).exclude(kind="backup.delete").update(
            cancel_requested=True, updated_at=Now()
        )


def _require_unprotected(backup: Backup) -> None:
    if backup.protected:
        raise BadRequest(
            f"Backup {backup.pk} is protected, and cannot be deleted: set its protected to false "
            f"first."
        )


def reset_status(*, backup: Backup, status: str, caller: Caller) -> None:
    """An admin's repair of the database: set the status, whatever it was, and leave a trace."""
    if status not in STATUSES:
        raise BadRequest(f"status: must be one of {', '.join(sorted(STATUSES))}.")
    with transaction.atomic():
        was = lock_row(backup).status
        change_row(backup, "reset", status=status)
        record(backup, was, note=f"reset by {caller.user_name} ({caller.request_id})")
