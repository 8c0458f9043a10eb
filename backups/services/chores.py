"""What dispatchers do for schedules."""

from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.functions import Now

from backups.models import Schedule, ScheduledBackup, ScheduleRun
from backups.services.pruning import prune_in_turn
from backups.services.scheduled import back_up_due, follow_backups
from backups.services.slots import begin_due_slots, end_runs, spread_runs
from storage_project.operations.dispatcher import Chore

FIRE_EVERY_S = 1.0
FOLLOW_EVERY_S = 2.0
PRUNE_EVERY_S = 10.0
# How long nobody is rung for the sake of any of these.
BUDGET_S = 0.5
# Bounds each transaction; the rest follows with the next round.
RUNS, ROWS = 100, 1_000


def fire_schedules() -> None:
    """Begin the slots that have come, and the backups whose moment has."""
    begin_due_slots()
    spread_runs()
    back_up_due(BUDGET_S)


def follow_schedules() -> None:
    """Note what has ended."""
    follow_backups(BUDGET_S)
    end_runs()


def prune_schedules() -> None:
    """Delete the backups that schedules do not keep."""
    prune_in_turn(BUDGET_S)


def forget_old_runs() -> int:
    """Delete the runs that ended longer ago than operations are kept, except the last of each
    schedule, and those whose schedule is gone; return how many rows that were."""
    kept = timedelta(days=settings.OPERATION_RETENTION_DAYS)
    schedules = Schedule.objects.filter(pk=OuterRef("schedule_id"))
    is_old = Q(finished_at__lte=Now() - kept) & ~Exists(
        schedules.filter(last_slot=OuterRef("slot"))
    )
    runs = ScheduleRun.objects.filter(is_old | ~Exists(schedules))
    ids = [*runs.values_list("pk", flat=True)[:RUNS]]
    rows = ScheduledBackup.objects.filter(run__in=ids).values("pk")[:ROWS]
    deleted, _ = ScheduledBackup.objects.filter(pk__in=Subquery(rows)).delete()
    left = ScheduledBackup.objects.filter(run=OuterRef("pk"))
    return deleted + ScheduleRun.objects.filter(~Exists(left), pk__in=ids).delete()[0]


CHORES = (
    Chore(fire_schedules, every_s=FIRE_EVERY_S),
    Chore(follow_schedules, every_s=FOLLOW_EVERY_S),
    Chore(prune_schedules, every_s=PRUNE_EVERY_S),
    Chore(forget_old_runs),
)
