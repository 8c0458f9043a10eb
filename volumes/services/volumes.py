"""What can be asked of a volume. Each of these answers a request, in one transaction."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from storage_project.api.faults import BadRequest, OverLimit
from storage_project.identity.caller import Caller
from storage_project.operations.flow import advance, record
from storage_project.operations.models import Operation
from storage_project.operations.services import active_operations, open_operation
from volumes import quota
from volumes.models import Service, Snapshot, Volume, VolumeType
from volumes.removal import remove_attachment_rows, remove_row
from volumes.services.rows import change_row, lock_row, refuse, require_copyable
from volumes.states import STATUSES

DETACHED = Q(attach_status="detached")
# A reservation is nobody's hold on it yet.
UNCONNECTED = ("detached", "reserved")
NOT_MIGRATING = Q(migration_status__isnull=True)


def create_volume(
    *,
    caller: Caller,
    size_gib: int,
    volume_type: VolumeType,
    name: str | None = None,
    description: str | None = None,
    availability_zone: str | None = None,
    metadata: Mapping[str, str] | None = None,
    hints: Mapping[str, Any] | None = None,
    source: Snapshot | Volume | None = None,
    backup_id: UUID | None = None,
    repository: str | None = None,
) -> Volume:
    """Accept a volume of `size_gib`; its `volume.create` operation makes it.

    It is blank, or begins with the content of `source`. Raises `BadRequest` for a zone that no
    service is in, or that the source is not in, and a size below the source's; `StateConflict` for
    a source that cannot be copied now; `OverLimit` when the project's quota has no room, or one
    volume may not be so large. `hints` are `same_host` and `different_host`, each a list of the ids
    of volumes. With `backup_id` it is made for that backup, whose `backup.restore` operation
    fills it, on a machine that reaches the `repository`.
    """
    assert caller.project_id is not None
    _check_zone(availability_zone)
    origin = source.volume if isinstance(source, Snapshot) else source
    placement: dict[str, Any] = dict(hints or {})
    if source is not None and origin is not None:
        _check_source(source, origin, size_gib, availability_zone)
        placement["source"] = str(origin.pk)
    if backup_id is not None:
        placement |= {"backup": str(backup_id), "repository": repository}
    with transaction.atomic():
        limits = quota.limits_of(caller.project_id)
        _check_size(size_gib, limits)
        charges = quota.volume_charges(volume_type.name, size_gib)
        quota.take(caller.project_id, charges, limits=limits)
        volume = Volume.objects.create(
            project_id=caller.project_id,
            user_id=caller.user_id,
            name=name,
            description=description,
            size_gib=size_gib,
            volume_type=volume_type,
            availability_zone=availability_zone,
            metadata=dict(metadata or {}),
            multiattach=volume_type.multiattach,
            bootable=origin is not None and origin.bootable,
            source_snapshot_id=source.pk if isinstance(source, Snapshot) else None,
            source_volume_id=source.pk if isinstance(source, Volume) else None,
        )
        operation = open_operation(
            kind="volume.create",
            resource=volume,
            project_id=volume.project_id,
            caller=caller,
            **placement,
        )
        record(volume, "", operation=operation)
    return volume


def _check_source(
    source: Snapshot | Volume, origin: Volume, size_gib: int, zone: str | None
) -> None:
    """`origin` is the volume whose pool holds what is to be copied."""
    copyable = ("available",) if isinstance(source, Snapshot) else ("available", "in-use")
    what = f"{source.flow.resource} {source.pk}"
    if source.status not in copyable:
        raise refuse(
            source,
            f"A volume cannot be made from {what}: its status is {source.status}, and must be "
            f"{' or '.join(copyable)}.",
        )
    if isinstance(source, Volume):
        require_copyable(source)
    if size_gib < source.size_gib:
        raise BadRequest(f"size: {size_gib} GiB is less than the {source.size_gib} GiB of {what}.")
    if zone is not None and zone != origin.availability_zone:
        raise BadRequest(
            f"availability_zone: {what} is in {origin.availability_zone}, and so must a volume be "
            f"that is made from it."
        )


def _check_zone(zone: str | None) -> None:
    if zone is not None and not Service.objects.filter(availability_zone=zone).exists():
        raise BadRequest(f"Availability zone '{zone}' is invalid: no service is in it.")


def _check_size(size_gib: int, limits: Mapping[str, int]) -> None:
    limit = limits["per_volume_gigabytes"]
    if limit != quota.UNLIMITED and size_gib > limit:
        raise OverLimit(
            f"Requested volume size {size_gib}G is larger than maximum allowed limit {limit}G."
        )


def update_volume(*, volume: Volume, **changes: Any) -> Volume:
    """Set `name`, `description` or all of `metadata`; 400 during maintenance."""
    return change_row(volume, "update", unless=("maintenance",), **changes)


def set_bootable(*, volume: Volume, bootable: bool) -> None:
    """Say whether a server may boot from a volume."""
    change_row(volume, "set the bootable flag of", unless=("deleting",), bootable=bootable)


def set_readonly(*, volume: Volume, readonly: bool) -> None:
    """Say whether a volume is to be attached for reading only; 400 unless it is available."""
    elsewhere = set(STATUSES) - {"available"}
    change_row(volume, "set the readonly flag of", unless=elsewhere, readonly=readonly)


def delete_volume(*, volume: Volume, caller: Caller, cascade: bool = False) -> None:
    """Delete a volume; one that never got a place is gone at once.

    Raises `StateConflict` while it has snapshots, unless `cascade` lets them go with it.
    """
    with transaction.atomic():
        # Locked, so that no snapshot is taken of it between this look and the end of its status.
        volume = lock_row(volume)
        if _gone_at_once(volume):
            remove_row(volume)
            return
        _require_unconnected(volume)
        snapshots = _snapshots_that_go_with(volume, cascade=cascade)
        operation = _open_delete(volume, caller, snapshots)
        _advance_to_deleting(snapshots, "delete", operation)
        advance(volume, "delete", operation=operation, where=NOT_MIGRATING)


def force_delete_volume(*, volume: Volume, caller: Caller, cascade: bool = False) -> None:
    """Delete a volume in whatever state it is; what works on it is told to stop first."""
    with transaction.atomic():
        volume = lock_row(volume)
        deletes = active_operations(volume.pk).filter(kind="volume.delete")
        if volume.status == "deleting" and deletes.exists():
            return  # it is being deleted already
        if _gone_at_once(volume):
            remove_row(volume)
            return
        _require_unconnected(volume)
        snapshots = _snapshots_that_go_with(volume, cascade=cascade)
        work = _work_on_content(volume)
        operation = _open_delete(volume, caller, snapshots, waits_for=work)
        _advance_to_deleting(snapshots, "force_delete", operation)
        if volume.status != "deleting":
            advance(volume, "force_delete", operation=operation, where=NOT_MIGRATING)
        # After the volume, as the commits of steps do: else the two could wait for each other.
        active_operations(volume.pk, *(snapshot.pk for snapshot in snapshots)).exclude(
            kind__in=("volume.delete", "snapshot.delete")
        ).update(cancel_requested=True, updated_at=Now())
        work.update(cancel_requested=True, updated_at=Now())


def _require_unconnected(volume: Volume) -> None:
    if volume.attach_status not in UNCONNECTED:
        raise refuse(
            volume,
            f"Volume {volume.pk} cannot be deleted while it is {volume.attach_status}: its status "
            f"is {volume.status}. Detach it first.",
        )


def _gone_at_once(volume: Volume) -> bool:
    return volume.pool_id is None and not active_operations(volume.pk).exists()


def _snapshots_that_go_with(volume: Volume, *, cascade: bool) -> list[Snapshot]:
    snapshots = [*volume.snapshots.all()]
    if snapshots and not cascade:
        raise refuse(
            volume,
            f"Volume {volume.pk} has {len(snapshots)} snapshots: delete them first, or delete it "
            f"with cascade.",
        )
    return snapshots


def _work_on_content(volume: Volume) -> "QuerySet[Operation]":
    """The operations that read or write a volume and are about something else, as its backups."""
    active = Operation.objects.filter(finished_at__isnull=True)
    return active.filter(arguments__volume_id=str(volume.pk))


def _open_delete(
    volume: Volume,
    caller: Caller,
    snapshots: list[Snapshot],
    *,
    waits_for: Iterable[Operation] = (),
) -> Operation:
    return open_operation(
        kind="volume.delete",
        resource=volume,
        project_id=volume.project_id,
        caller=caller,
        waits=True,
        waits_for=waits_for,
        touches=snapshots,
        was=volume.status,
        snapshots={str(snapshot.pk): snapshot.status for snapshot in snapshots},
    )


def _advance_to_deleting(snapshots: list[Snapshot], move: str, operation: Operation) -> None:
    for snapshot in snapshots:
        if snapshot.status != "deleting":
            advance(snapshot, move, operation=operation)


def extend_volume(
    *, volume: Volume, new_size_gib: int, caller: Caller, also_in_use: bool = False
) -> None:
    """Make a volume larger, one that is in use only if `also_in_use`.

    Raises `BadRequest` unless it is larger, `OverLimit` without quota for it.
    """
    if new_size_gib <= volume.size_gib:
        raise BadRequest(
            f"new_size: New size for extend must be greater than current size. "
            f"(current: {volume.size_gib}, extended: {new_size_gib})"
        )
    growth = quota.growth_charges(volume.volume_type.name, new_size_gib - volume.size_gib)
    with transaction.atomic():
        limits = quota.limits_of(volume.project_id)
        _check_size(new_size_gib, limits)
        lock_row(volume)
        _require_no_snapshot_underway(volume)
        operation = open_operation(
            kind="volume.extend",
            resource=volume,
            project_id=volume.project_id,
            caller=caller,
            new_size_gib=new_size_gib,
        )
        # The size is compared again: two extends that race would both count from the old one.
        advance(
            volume,
            "extend_in_use" if also_in_use and volume.status == "in-use" else "extend",
            operation=operation,
            where=Q(size_gib=volume.size_gib, pool__isnull=False),
        )
        quota.take(volume.project_id, growth, limits=limits, column="reserved")


def _require_no_snapshot_underway(volume: Volume) -> None:
    """One that is being taken has the size that the volume had when it was asked for."""
    snapshots = volume.snapshots.values_list("pk", flat=True)
    if active_operations(*snapshots).filter(kind="snapshot.create").exists():
        raise refuse(volume, f"A snapshot of volume {volume.pk} is being taken; try again later.")


def revert_volume(*, volume: Volume, snapshot_id: UUID, caller: Caller) -> None:
    """Give an available volume the content of its latest snapshot back, and lose what came since.

    `BadRequest` for another snapshot than the latest, or one of another size than the volume has
    now; `StateConflict` when either of them is not available.
    """
    with transaction.atomic():
        volume = lock_row(volume)
        snapshot = volume.snapshots.order_by("-created_at", "-id").first()
        if snapshot is None or snapshot.pk != snapshot_id:
            raise BadRequest(
                f"snapshot_id: a volume can only be reverted to its latest snapshot"
                f"{f', {snapshot.pk}' if snapshot else '; it has none'}."
            )
        if snapshot.size_gib != volume.size_gib:
            raise BadRequest(
                f"Volume {volume.pk} has {volume.size_gib} GiB and its snapshot {snapshot.pk} "
                f"{snapshot.size_gib} GiB; to revert it they must be the same."
            )
        operation = open_operation(
            kind="volume.revert",
            resource=volume,
            project_id=volume.project_id,
            caller=caller,
            touches=[snapshot],
            snapshot_id=str(snapshot.pk),
        )
        advance(volume, "revert", operation=operation, where=DETACHED)
        advance(snapshot, "restore", operation=operation)


def reset_status(
    *,
    volume: Volume,
    status: str | None = None,
    attach_status: str | None = None,
    migration_status: str | None = None,
    caller: Caller,
) -> None:
    """An admin's repair of the database: set what is given, whatever it was, and leave a trace.

    A volume that is called detached has no attachments any more; what they had exported is revoked.
    """
    if status is not None and status not in STATUSES:
        raise BadRequest(f"status: must be one of {', '.join(sorted(STATUSES))}.")
    changes: dict[str, str | None] = {}
    if status is not None:
        changes["status"] = status
    if attach_status is not None:
        changes["attach_status"] = attach_status
    if migration_status is not None:
        changes["migration_status"] = None if migration_status == "none" else migration_status
    with transaction.atomic():
        was = lock_row(volume).status
        if attach_status == "detached":
            remove_attachment_rows(volume)
        Volume.objects.filter(pk=volume.pk).update(updated_at=Now(), **changes)
        for name, value in changes.items():
            setattr(volume, name, value)
        record(volume, was, note=f"reset by {caller.user_name} ({caller.request_id})")
