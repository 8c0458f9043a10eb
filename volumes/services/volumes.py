"""What can be asked of a volume. Each of these answers a request, in one transaction."""

from collections.abc import Collection, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from storage_project.api.faults import BadRequest, NotFound, OverLimit, PreconditionFailed
from storage_project.identity.caller import Caller
from storage_project.operations.flow import advance, record
from storage_project.operations.models import Operation
from storage_project.operations.services import active_operations, open_operation
from volumes import quota
from volumes.models import Service, Volume, VolumeType
from volumes.removal import remove_row
from volumes.states import STATUSES

DETACHED = Q(attach_status="detached")
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
) -> Volume:
    """Accept a blank volume of `size_gib`; its `volume.create` operation makes it.

    Raises `BadRequest` for a zone that no service is in; `OverLimit` when the project's quota has
    no room, or one volume may not be so large. `hints` are `same_host` and `different_host`,
    each a list of the ids of volumes.
    """
    assert caller.project_id is not None
    _check_zone(availability_zone)
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
        )
        operation = open_operation(
            kind="volume.create",
            resource=volume,
            project_id=volume.project_id,
            caller=caller,
            **(hints or {}),
        )
        record(volume, "", operation=operation)
    return volume


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
    _change(volume, "update", unless=("maintenance",), **changes)
    return volume


def set_metadata(
    *,
    volume: Volume,
    metadata: Mapping[str, str],
    replace: bool,
    seen: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Add to a volume's metadata, or replace all of it; return what it is then.

    Raises `PreconditionFailed` when it is not, before that, what the caller has `seen`.
    """
    with transaction.atomic():
        current = _lock(volume).metadata
        if seen is not None and current != seen:
            raise PreconditionFailed(f"The metadata of volume {volume.pk} has changed meanwhile.")
        _change_metadata(volume, dict(metadata) if replace else current | dict(metadata))
    return dict(volume.metadata)


def delete_metadata(*, volume: Volume, key: str) -> None:
    """Delete one key of a volume's metadata; 404 when it has none of that name."""
    with transaction.atomic():
        current = _lock(volume).metadata
        if current.pop(key, None) is None:
            raise NotFound("Metadata item", key)
        _change_metadata(volume, current)


def set_bootable(*, volume: Volume, bootable: bool) -> None:
    """Say whether a server may boot from a volume."""
    _change(volume, "set the bootable flag of", unless=("deleting",), bootable=bootable)


def set_readonly(*, volume: Volume, readonly: bool) -> None:
    """Say whether a volume is to be attached for reading only; 400 unless it is available."""
    elsewhere = set(STATUSES) - {"available"}
    _change(volume, "set the readonly flag of", unless=elsewhere, readonly=readonly)


def _lock(volume: Volume) -> Volume:
    locked = Volume.objects.select_for_update().filter(pk=volume.pk).first()
    if locked is None:
        raise NotFound("Volume", volume.pk)
    return locked


def _change_metadata(volume: Volume, metadata: dict[str, str]) -> None:
    _change(
        volume, "change the metadata of", unless=("maintenance", "uploading"), metadata=metadata
    )


def _change(volume: Volume, what: str, *, unless: Collection[str], **changes: Any) -> None:
    """Set columns that no flow guards, unless the volume has one of these statuses by now."""
    now = {"updated_at": timezone.now(), **changes}
    if Volume.objects.filter(pk=volume.pk).exclude(status__in=unless).update(**now):
        for field, value in now.items():
            setattr(volume, field, value)
        return
    status = Volume.objects.filter(pk=volume.pk).values_list("status", flat=True).first()
    if status is None:
        raise NotFound("Volume", volume.pk)
    raise BadRequest(f"Cannot {what} volume {volume.pk}: its status is {status}.")


def delete_volume(*, volume: Volume, caller: Caller) -> None:
    """Delete a volume; one that never got a place is gone at once."""
    with transaction.atomic():
        if _gone_at_once(volume):
            remove_row(volume)
            return
        operation = _open_delete(volume, caller)
        advance(volume, "delete", operation=operation, where=DETACHED & NOT_MIGRATING)


def force_delete_volume(*, volume: Volume, caller: Caller) -> None:
    """Delete a volume in whatever state it is; what works on it is told to stop first."""
    with transaction.atomic():
        volume = _lock(volume)
        active = active_operations(volume.pk)
        if volume.status == "deleting" and active.filter(kind="volume.delete").exists():
            return  # it is being deleted already
        if _gone_at_once(volume):
            remove_row(volume)
            return
        operation = _open_delete(volume, caller)
        if volume.status != "deleting":
            advance(volume, "force_delete", operation=operation, where=DETACHED & NOT_MIGRATING)
        # After the volume, as the commits of steps do: else the two could wait for each other.
        active.exclude(kind="volume.delete").update(cancel_requested=True, updated_at=Now())


def _gone_at_once(volume: Volume) -> bool:
    return volume.pool_id is None and not active_operations(volume.pk).exists()


def _open_delete(volume: Volume, caller: Caller) -> Operation:
    return open_operation(
        kind="volume.delete",
        resource=volume,
        project_id=volume.project_id,
        caller=caller,
        waits=True,
        was=volume.status,
    )


def extend_volume(*, volume: Volume, new_size_gib: int, caller: Caller) -> None:
    """Make a volume larger. Raises `BadRequest` unless it is, `OverLimit` without quota for it."""
    if new_size_gib <= volume.size_gib:
        raise BadRequest(
            f"new_size: New size for extend must be greater than current size. "
            f"(current: {volume.size_gib}, extended: {new_size_gib})"
        )
    growth = quota.growth_charges(volume.volume_type.name, new_size_gib - volume.size_gib)
    with transaction.atomic():
        limits = quota.limits_of(volume.project_id)
        _check_size(new_size_gib, limits)
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
            "extend",
            operation=operation,
            where=Q(size_gib=volume.size_gib, pool__isnull=False),
        )
        quota.take(volume.project_id, growth, limits=limits, column="reserved")


def reset_status(
    *,
    volume: Volume,
    status: str | None = None,
    attach_status: str | None = None,
    migration_status: str | None = None,
    caller: Caller,
) -> None:
    """An admin's repair of the database: set what is given, whatever it was, and leave a trace."""
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
        was = _lock(volume).status
        Volume.objects.filter(pk=volume.pk).update(updated_at=Now(), **changes)
        for name, value in changes.items():
            setattr(volume, name, value)
        record(volume, was, note=f"reset by {caller.user_name} ({caller.request_id})")
