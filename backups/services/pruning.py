"""Retention at work: of each volume, the backups that a schedule has made are held against its
rules (see `retention`), and those that nothing wants are deleted.

Nobody holds anything meanwhile: two that do it at once decide the same, and a backup is deleted
once. What could not be deleted is tried again with the next round.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from uuid import UUID, uuid4

import structlog
from django.db.models import Q
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from backups.cron import zone_of
from backups.models import Backup, Schedule
from backups.retention import Candidate, Rules, plan
from backups.services.backups import delete_backup
from storage_project.api.faults import Fault
from storage_project.identity.caller import Caller

# Every schedule is looked at again after this, whether or not it has made anything.
ROUND = timedelta(hours=1)
BATCH = 50

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class PlannedBackup:
    """What is to become of a backup; `reason` continues "it is kept: …" or "it is deleted: …"."""

    backup: Backup
    keep: bool
    reason: str


@dataclass(frozen=True)
class VolumePlan:
    """What is to become of a schedule's backups of one volume, the newest first."""

    volume_id: UUID
    backups: list[PlannedBackup]


def rules_of(schedule: Schedule) -> Rules:
    """What a schedule keeps."""
    max_age = schedule.max_age_days
    return Rules(
        last=schedule.keep_last,
        hourly=schedule.keep_hourly,
        daily=schedule.keep_daily,
        weekly=schedule.keep_weekly,
        monthly=schedule.keep_monthly,
        yearly=schedule.keep_yearly,
        max_age=None if max_age is None else timedelta(days=max_age),
        time_zone=zone_of(schedule.time_zone),
    )


def volumes_with_backups(schedule: Schedule, *, beyond: UUID | None, limit: int) -> list[UUID]:
    """The ids of volumes that a schedule has backups of, in order; they may be gone."""
    backups = Backup.objects.filter(schedule_id=schedule.pk)
    if beyond is not None:
        backups = backups.filter(volume_id__gt=beyond)
    ids = backups.order_by("volume_id").values_list("volume_id", flat=True).distinct()
    return [*ids[:limit]]


def plan_volumes(
    schedule: Schedule, volume_ids: Iterable[UUID], rules: Rules | None = None
) -> list[VolumePlan]:
    """What its rules, or these instead, make of a schedule's backups. Nothing is done to any."""
    rules = rules or rules_of(schedule)
    backups = Backup.objects.filter(
        schedule_id=schedule.pk, volume_id__in=[*volume_ids], status="available"
    ).annotate(taken_at=Coalesce("data_timestamp", "created_at"))
    of_volume: dict[UUID, dict[str, Backup]] = {}
    for backup in backups.order_by("volume_id"):
        of_volume.setdefault(backup.volume_id, {})[str(backup.pk)] = backup
    now = timezone.now()
    plans = []
    for volume_id, found in of_volume.items():
        candidates = [
            Candidate(backup_id=pk, taken_at=each.taken_at, is_protected=each.protected)  # type: ignore[attr-defined]
            for pk, each in found.items()
        ]
        planned = [
            PlannedBackup(found[decision.backup.backup_id], decision.keep, decision.reason)
            for decision in plan(candidates, rules, now=now)
        ]
        plans.append(VolumePlan(volume_id, planned))
    return plans


def prune_volumes(schedule: Schedule, volume_ids: Iterable[UUID], *, until: float) -> bool:
    """Delete what a schedule does not keep of its backups of these volumes; False when there was
    more of that than time, by the monotonic clock."""
    rules, volume_ids = rules_of(schedule), [*volume_ids]
    if rules.keep_all and rules.max_age is None:
        return True
    doomed = [
        planned.backup
        for each in plan_volumes(schedule, volume_ids, rules)
        for planned in each.backups
        if not planned.keep
    ]
    unfinished = Backup.objects.filter(
        schedule_id=schedule.pk, volume_id__in=volume_ids, status="error_deleting", protected=False
    )
    left = [*doomed, *unfinished]
    while left:
        _delete(left.pop(), schedule)
        if left and monotonic() >= until:
            return False
    return True


def _delete(backup: Backup, schedule: Schedule) -> None:
    caller = caller_for(schedule.user_id, backup.project_id, uuid4())
    try:
        delete_backup(backup=backup, caller=caller)
    except Fault as fault:
        log.warning("retention could not delete", backup=str(backup.pk), reason=fault.message)


def prune_in_turn(budget_s: float) -> None:
    """Go on with the rounds of retention that are due, for as long as nobody minds. A schedule
    that is disabled deletes nothing."""
    until = monotonic() + budget_s
    due = Schedule.objects.filter(Q(pruned_at=None) | Q(pruned_at__lte=Now() - ROUND), enabled=True)
    for schedule in due.order_by("pruned_at")[:BATCH]:
        mine, at = due.filter(pk=schedule.pk), schedule.pruned_to
        while ids := volumes_with_backups(schedule, beyond=at, limit=BATCH):
            if not prune_volumes(schedule, ids, until=until):
                return
            if not mine.filter(pruned_to=at).update(pruned_to=ids[-1]):
                return  # somebody else was quicker
            at = ids[-1]
            if monotonic() >= until:
                return
        mine.filter(pruned_to=at).update(pruned_to=None, pruned_at=Now())


def caller_for(user_id: str, project_id: str, request: UUID) -> Caller:
    """A schedule as services know callers: it acts in the name of who made it."""
    return Caller(
        user_id=user_id,
        user_name="schedule",
        project_id=project_id,
        project_name=None,
        roles=frozenset({"member"}),
        request_id=f"req-{request}",
    )
