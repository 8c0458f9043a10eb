"""Project-scoped reads of backups. No view touches `objects` itself."""

from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from backups.models import Backup
from storage_project.api.lookup import get_by_uuid
from storage_project.identity.caller import Caller
from volumes.models import Volume

HAS_DEPENDANTS = Exists(Backup.objects.filter(parent_id=OuterRef("pk")))


def backups_of(caller: Caller, *, all_projects: bool = False) -> "QuerySet[Backup]":
    """The backups of the caller's project, or of all; each with `has_dependent_backups`."""
    backups = Backup.objects.annotate(has_dependent_backups=HAS_DEPENDANTS)
    return backups if all_projects else backups.filter(project_id=caller.project_id)


def get_backup(caller: Caller, backup_id: UUID | str) -> Backup:
    """One backup; an admin's may be of any project. 404 for anything else, a non-UUID too."""
    visible = backups_of(caller, all_projects=caller.is_admin)
    return get_by_uuid(visible, "Backup", backup_id)


def latest_backup(volume: Volume, container: str) -> Backup | None:
    """What an incremental backup of the volume is compared with: the backup whose moment the
    volume's backend still knows, where there is it; otherwise the latest."""
    backups = Backup.objects.filter(
        volume_id=volume.pk,
        project_id=volume.project_id,
        domain=volume.project_id,
        container=container,
        status="available",
    )
    at_hand = backups.filter(pk=volume.base_snapshot_id) if volume.base_snapshot_id else None
    latest = backups.order_by("-data_timestamp", "-created_at")
    return (at_hand.first() if at_hand is not None else None) or latest.first()
