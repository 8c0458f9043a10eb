"""What must hold when all has ended, looked at from inside the stack (`manage.py shell`)."""

from django.db import connection

from storage_project.operations.models import Operation
from storage_project.operations.states import Status
from tests.operations.consistency import require_consistent
from volumes.models import Volume


def audit(accepted: list[tuple[str, str, int]]) -> None:
    """Assert that rows, sums and backends agree, and that what was accepted was kept: `accepted`
    says how often each kind of operation was accepted for each volume."""
    require_consistent()
    for kind, volume_id, times in accepted:
        operations = Operation.objects.filter(kind=kind, resource_id=volume_id)
        if kind == "volume.delete":
            # One that has no place yet, or is being deleted already, needs no operation of its own.
            gone = not Volume.objects.filter(pk=volume_id).exists()
            assert gone or operations.exclude(status=Status.SUCCEEDED).exists(), volume_id
        else:
            assert operations.count() == times, f"{kind} of {volume_id}: accepted {times} times"
    require_no_deadlocks()


def require_no_deadlocks() -> None:
    """Assert that all transactions lock rows in one order."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            )
            assert cursor.fetchone() == (0,)
