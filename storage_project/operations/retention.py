"""Deleting what was promised to last until now, and no longer: a chore of the dispatcher."""

from datetime import timedelta

from django.conf import settings
from django.db.models import Subquery
from django.db.models.functions import Now

from storage_project.operations.models import Message, Operation

# Bounds each transaction; the rest follows with the next round.
BATCH = 1_000


def delete_expired_messages() -> int:
    """Delete messages past their time; return how many."""
    return Message.objects.filter(expires_at__lte=Now()).delete()[0]


def delete_old_operations() -> int:
    """Delete operations that ended longer ago than is kept, with their history; return how many
    rows that were."""
    kept = timedelta(days=settings.OPERATION_RETENTION_DAYS)
    old = Operation.objects.filter(finished_at__lte=Now() - kept).order_by("created_at")
    return Operation.objects.filter(pk__in=Subquery(old.values("pk")[:BATCH])).delete()[0]
