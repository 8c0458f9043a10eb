"""The end of a backup's row, with its quota."""

from backups.models import Backup
from storage_project.operations.flow import StateConflict, record
from storage_project.operations.models import Operation
from volumes import quota


def remove_backup_row(backup: Backup, *, operation: Operation | None = None) -> None:
    """Delete the row if it is still as `backup` says; in the caller's transaction."""
    was = backup.status
    deleted, _ = Backup.objects.filter(pk=backup.pk, status=was).delete()
    if not deleted:
        raise StateConflict(f"Backup {backup.pk} has changed meanwhile.", 409)
    quota.give_back(backup.project_id, quota.backup_charges(backup.size_gib))
    backup.status = "deleted"
    record(backup, was, operation=operation)
