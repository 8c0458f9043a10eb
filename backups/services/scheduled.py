"""The backups of schedules: each volume of a slot gets one, or a sentence that says why not.

A volume that cannot be backed up now is tried again within the window; others do not wait for it.
The backup is accepted in the transaction in which its row stops waiting: so of two dispatchers one
makes it, and who is killed has either made it or not.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic

import structlog
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Subquery
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from backups.cron import zone_of
from backups.models import Backup, Schedule, ScheduledBackup
from backups.schedule_models import FAILED, MISSED, RUNNING, SUCCEEDED, WAITING
from backups.services.backups import create_backup, delete_backup
from backups.services.pruning import caller_for, prune_volumes
from backups.services.slots import BATCH, NO_SCHEDULE, PUNCTUAL
from storage_project.api.faults import Fault
from storage_project.operations.models import Operation
from storage_project.operations.states import Status
from volumes.models import Volume

FIRST_PAUSE_S = 10
LONGEST_PAUSE_S = 300
# How many backups of a volume may fail in a slot. Each was tried several times by its operation.
MOST_FAILURES = 3
NAME_LENGTH = 200

OVER = "Its window was over"

log = structlog.get_logger(__name__)


def back_up_due(budget_s: float) -> None:
    """Begin the backups whose moment has come, for as long as nobody minds."""
    until = monotonic() + budget_s
    due = ScheduledBackup.objects.filter(status=WAITING, begins_at__lte=Now())
    due = due.select_related("run").annotate(now=Now()).order_by("begins_at")
    entries = [*due[:BATCH]]
    schedules = Schedule.objects.in_bulk({entry.schedule_id for entry in entries})
    for entry in entries:
        if monotonic() >= until:
            return
        _begin(entry, schedules.get(entry.schedule_id), entry.now)


def _begin(entry: ScheduledBackup, schedule: Schedule | None, now: datetime) -> None:
    if schedule is None or not (schedule.enabled or entry.run.is_extra):
        _move(entry, MISSED, note=NO_SCHEDULE)
        return
    # Whose moment is the last of the window has that, too.
    grace = timedelta() if entry.tries else PUNCTUAL
    if now > entry.run.ends_at + grace:
        _move(entry, MISSED, note=f"{OVER}: {entry.note}" if entry.note else f"{OVER}.")
        return
    volume = Volume.objects.filter(pk=entry.volume_id).select_related("pool__service").first()
    if volume is None:
        _move(entry, MISSED, note="The volume has been deleted.")
        return
    try:
        with transaction.atomic():
            if _move(entry, RUNNING):
                _back_up(entry, schedule, volume)
    except Fault as fault:
        _move(entry, WAITING, begins_at=_pause(entry.tries), note=fault.message)


def _move(entry: ScheduledBackup, status: str, **values: object) -> bool:
    """Move a row on, if it still is as `entry` says."""
    same = ScheduledBackup.objects.filter(pk=entry.pk, status=entry.status, tries=entry.tries)
    if not same.update(status=status, tries=F("tries") + 1, updated_at=Now(), **values):
        return False
    if status in (MISSED, FAILED):
        told = {"schedule": str(entry.schedule_id), "volume": str(entry.volume_id)}
        log.warning("a volume has no backup of a slot", **told, reason=values.get("note"))
    return True


def _pause(tries: int) -> Combinable:
    """When it is tried again."""
    return Now() + timedelta(seconds=min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(tries, 10)))


def _back_up(entry: ScheduledBackup, schedule: Schedule, volume: Volume) -> None:
    since_full = _incremental_since_full(entry)
    wants_full = schedule.full_every is not None and since_full + 1 >= schedule.full_every
    backup = create_backup(
        volume=volume,
        caller=caller_for(schedule.user_id, volume.project_id, entry.run_id),
        name=_name_of(entry, schedule),
        container=schedule.container,
        incremental=schedule.incremental and not wants_full,
        or_full=True,
        force=schedule.force,
        schedule_id=schedule.pk,
    )
    ScheduledBackup.objects.filter(pk=entry.pk).update(
        backup_id=backup.pk, note="", since_full=since_full + 1 if backup.is_incremental else 0
    )


def _incremental_since_full(entry: ScheduledBackup) -> int:
    """How many incremental ones have followed the volume's latest full one of this schedule."""
    before = ScheduledBackup.objects.filter(
        schedule_id=entry.schedule_id,
        volume_id=entry.volume_id,
        status__in=(RUNNING, SUCCEEDED),
        backup_id__isnull=False,
    ).exclude(pk=entry.pk)
    return before.order_by("-run__slot").values_list("since_full", flat=True).first() or 0


def _name_of(entry: ScheduledBackup, schedule: Schedule) -> str:
    """By the schedule and its slot, as its people read the time."""
    slot = entry.run.slot.astimezone(zone_of(schedule.time_zone))
    return f"{schedule.name[:NAME_LENGTH]} {slot:%Y-%m-%d %H:%M %Z}"


def follow_backups(budget_s: float) -> None:
    """Note how the backups that were begun have ended, and let retention look at their volumes;
    for as long as nobody minds."""
    until = monotonic() + budget_s
    making = Operation.objects.filter(resource_id=OuterRef("backup_id"), kind="backup.create")
    ended = ScheduledBackup.objects.filter(
        ~Exists(making.filter(finished_at__isnull=True)), status=RUNNING
    ).annotate(now=Now(), outcome=Subquery(making.values("status")[:1]))
    entries = [*ended.select_related("run")[:BATCH]]
    schedules = Schedule.objects.in_bulk({entry.schedule_id for entry in entries})
    for entry in entries:
        is_made = _follow(entry, entry.outcome, entry.now)
        schedule = schedules.get(entry.schedule_id)
        if is_made and schedule is not None and schedule.enabled:
            prune_volumes(schedule, [entry.volume_id], until=until)
        if monotonic() >= until:
            return


def _follow(entry: ScheduledBackup, outcome: str | None, now: datetime) -> bool:
    """Note the outcome of an operation; whether the backup was made, and nobody had noted it.

    It may be gone again by now. One that failed is made again, unless that has been done often
    enough or the window is over.
    """
    if outcome == Status.SUCCEEDED:
        return _move(entry, SUCCEEDED)
    assert entry.backup_id is not None
    backup = Backup.objects.filter(pk=entry.backup_id).first()
    note = (backup and backup.fail_reason) or "The backup was deleted."
    values = {"failures": entry.failures + 1, "note": note}
    may_go_on = outcome == Status.FAILED and entry.failures + 1 < MOST_FAILURES
    if backup is None or not may_go_on or now > entry.run.ends_at:
        _move(entry, FAILED, **values)
        return False
    with transaction.atomic():
        if _move(entry, WAITING, begins_at=_pause(entry.tries), **values):
            caller = caller_for(backup.user_id, backup.project_id, entry.run_id)
            with suppress(Fault):  # then it stays, for people to see
                delete_backup(backup=backup, caller=caller)
    return False
