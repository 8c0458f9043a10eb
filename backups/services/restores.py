"""Bringing a backup back: into a volume that there is, or into one that is made for it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from backups.models import Backup
from backups.selectors import backups_of
from storage_project.api.faults import BadRequest
from storage_project.api.lookup import get_by_uuid
from storage_project.identity.caller import Caller
from storage_project.operations.flow import advance
from storage_project.operations.services import open_operation
from volumes.models import Volume, VolumeType
from volumes.selectors import default_type, types_for
from volumes.services.rows import lock_row, refuse
from volumes.services.volumes import DETACHED, create_volume


def restore_backup(
    *, backup: Backup, volume: Volume, caller: Caller, skip_damaged: bool = False
) -> Volume:
    """Give a volume the content of a backup, and lose what it had.

    It must be available, of the backup's project and at least as large; what it is larger reads
    as zeros then, with `skip_damaged` also what the repository has lost. Raises `BadRequest` or
    `StateConflict`.
    """
    with transaction.atomic():
        backup, volume = lock_row(backup), lock_row(volume)
        if volume.project_id != backup.project_id:
            raise BadRequest(f"volume_id: {volume.pk} is of another project than the backup.")
        if volume.pool_id is None:
            raise refuse(volume, f"Volume {volume.pk} is on no backend.")
        _check_size(backup, volume.size_gib)
        was = volume.status
        operation = open_operation(
            kind="backup.restore",
            resource=backup,
            project_id=backup.project_id,
            caller=caller,
            touches=[volume],
            volume_id=str(volume.pk),
            was=was,
            is_new=False,
            skip_damaged=skip_damaged,
        )
        advance(backup, "restore", operation=operation)
        advance(volume, "restore_backup", operation=operation, where=DETACHED)
    return volume


def create_volume_from_backup(
    *,
    backup: Backup,
    caller: Caller,
    size_gib: int | None = None,
    volume_type: VolumeType | None = None,
    name: str | None = None,
    description: str | None = None,
    availability_zone: str | None = None,
    metadata: Mapping[str, str] | None = None,
    hints: Mapping[str, Any] | None = None,
    skip_damaged: bool = False,
) -> Volume:
    """Accept a volume with the content of a backup; it is the caller's.

    What is not said of it is as it was of the volume that was backed up, as far as that still
    exists. It is made blank by its `volume.create`, then filled by the `backup.restore` that waits
    for it. Raises what `create_volume` does, and `BadRequest` for a size below the backup's.
    """
    known = backup.volume_properties
    with transaction.atomic():
        backup = lock_row(backup)
        _check_size(backup, size_gib or backup.size_gib)
        volume = create_volume(
            caller=caller,
            size_gib=size_gib or backup.size_gib,
            volume_type=volume_type or _type_of(backup, caller),
            name=name,
            description=description,
            availability_zone=availability_zone,
            metadata=known.get("metadata") if metadata is None else metadata,
            hints=hints,
            backup_id=backup.pk,
            repository=backup.container,
        )
        Volume.objects.filter(pk=volume.pk).update(bootable=known.get("bootable", False))
        volume.refresh_from_db(fields=["bootable"])
        operation = open_operation(
            kind="backup.restore",
            resource=backup,
            project_id=backup.project_id,
            caller=caller,
            waits=True,
            touches=[volume],
            volume_id=str(volume.pk),
            # A volume that was made for it and did not get it is not what was asked for.
            was="error_restoring",
            is_new=True,
            skip_damaged=skip_damaged,
        )
        advance(backup, "restore", operation=operation)
    return volume


def create_volume_of(*, caller: Caller, source_id: UUID, **values: Any) -> Volume:
    """The same for a backup of the caller's project, by its id. An administrator's, too, is of its
    own: content does not go from one project to the other by a mere id."""
    backup = get_by_uuid(backups_of(caller), "Backup", source_id)
    return create_volume_from_backup(backup=backup, caller=caller, **values)


def _check_size(backup: Backup, size_gib: int) -> None:
    if size_gib < backup.size_gib:
        raise BadRequest(
            f"A volume of {size_gib} GiB is too small for backup {backup.pk}, which is of "
            f"{backup.size_gib} GiB."
        )


def _type_of(backup: Backup, caller: Caller) -> VolumeType:
    """The type of the volume that was backed up, if the caller may still use it."""
    name = backup.volume_properties.get("volume_type")
    return types_for(caller).filter(name=name).first() or default_type()
