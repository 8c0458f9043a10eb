"""Looking whether a backup is whole, and whether it can be restored."""

from django.db import transaction

from backups.models import Backup
from backups.states import READABLE
from storage_project.identity.caller import Caller
from storage_project.operations.models import Operation
from storage_project.operations.services import open_operation
from volumes.services.rows import lock_row, refuse


def verify_backup(*, backup: Backup, caller: Caller) -> Operation:
    """Read all of a backup and compare it with its digests. Raises `StateConflict` while it is made
    or deleted, and while somebody else is looking at it."""
    return _look(backup, "verify", caller)


def try_restore(*, backup: Backup, caller: Caller) -> Operation:
    """Restore a backup to a scratch file and compare that. Raises as `verify_backup` does."""
    return _look(backup, "test", caller)


def _look(backup: Backup, what: str, caller: Caller) -> Operation:
    with transaction.atomic():
        backup = lock_row(backup)
        if backup.status not in READABLE:
            raise refuse(
                backup,
                f"Cannot {what} backup {backup.pk}: its status is {backup.status}, and must be "
                f"{' or '.join(READABLE)}.",
            )
        return open_operation(
            kind=f"backup.{what}", resource=backup, project_id=backup.project_id, caller=caller
        )
