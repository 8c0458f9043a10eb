"""The slots of schedules: each is begun once, and ends when each of its volumes has an outcome.

Any number of dispatchers do this at the same time. A slot belongs to whoever moves `next_slot` on;
a volume in it to whoever writes its row. All else may be done twice, and is the same then.
"""

from datetime import datetime, timedelta
from hashlib import blake2b
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from backups.cron import Cron, CronError
from backups.models import Schedule, ScheduledBackup, ScheduleRun
from backups.schedule_models import ENDED, MISSED, OUTCOMES, RUNNING, WAITING
from volumes.models import Volume, VolumeType

# Bounds the transactions and the time that one round takes.
BATCH = 200
# What begins later than this after its slot makes up for it; its jitter counts from then on.
PUNCTUAL = timedelta(minutes=1)
# How long a run that was asked for is tried, where its schedule has no window.
EXTRA_WINDOW = timedelta(days=1)
NO_SCHEDULE = "The schedule was disabled or deleted."

log = structlog.get_logger(__name__)


def begin_due_slots() -> None:
    """Begin the slots that have come. Of several that nobody has begun in time, the latest stands
    for all."""
    due = Schedule.objects.filter(enabled=True, next_slot__lte=Now()).annotate(now=Now())
    for schedule in due.order_by("next_slot")[:BATCH]:
        try:
            _begin_slot(schedule, schedule.now)
        except CronError as error:
            disable(schedule, f"{error.field}: {error}")


def _begin_slot(schedule: Schedule, now: datetime) -> None:
    first = schedule.next_slot
    assert first is not None
    cron = Cron(schedule.cron, schedule.time_zone)
    slot = cron.latest(first, now)
    following = cron.after(slot)
    note = f"Nothing was begun since the slot of {first:%Y-%m-%d %H:%M} UTC: this stands for all."
    with transaction.atomic():
        mine = Schedule.objects.filter(
            pk=schedule.pk,
            enabled=True,
            next_slot=first,
            cron=schedule.cron,
            time_zone=schedule.time_zone,
        ).update(next_slot=following, last_slot=slot)
        if not mine:
            return
        ends_at = _end_of(schedule, slot, following)
        run = _open_run(schedule, slot, ends_at, now, note=note if slot > first else "")
    told = {"schedule": str(schedule.pk), "slot": slot.isoformat()}
    if run.status == MISSED:
        log.warning("a slot was missed", **told, reason=run.note)
    else:
        log.info("a slot begins", **told)


def _end_of(schedule: Schedule, slot: datetime, following: datetime | None) -> datetime:
    """When the window is over; in any case with the following slot."""
    ends = [] if following is None else [following]
    if schedule.window_minutes is not None:
        ends.append(slot + timedelta(minutes=schedule.window_minutes))
    return min(ends, default=slot + EXTRA_WINDOW)


def begin_extra_run(schedule: Schedule, now: datetime) -> ScheduleRun:
    """A run that is not in the plan, without jitter."""
    window = schedule.window_minutes
    length = EXTRA_WINDOW if window is None else timedelta(minutes=window)
    return _open_run(schedule, now, now + length, now, is_extra=True)


def _open_run(
    schedule: Schedule,
    slot: datetime,
    ends_at: datetime,
    now: datetime,
    *,
    is_extra: bool = False,
    note: str = "",
) -> ScheduleRun:
    values = {
        "begins_at": slot if now - slot <= PUNCTUAL else now,
        "ends_at": ends_at,
        "is_extra": is_extra,
        "note": note,
    }
    if ends_at <= now:
        values |= {
            "status": MISSED,
            "finished_at": now,
            "note": f"Nobody could begin it before its window ended, at {ends_at:%H:%M} UTC.",
        }
    # A clock that was set back brings a slot that has been.
    run, _ = ScheduleRun.objects.get_or_create(schedule_id=schedule.pk, slot=slot, defaults=values)
    return run


def spread_runs() -> None:
    """Give each volume that a run covers its row, a batch for each run."""
    for run in ScheduleRun.objects.filter(finished_at=None, is_spread=False)[:BATCH]:
        schedule = Schedule.objects.filter(pk=run.schedule_id).first()
        if schedule is None or not (schedule.enabled or run.is_extra):
            _cover_nothing(run, NO_SCHEDULE)
        elif gone := _what_is_gone(schedule):
            disable(schedule, gone)
            _cover_nothing(run, gone)
        else:
            _spread(run, schedule)


def _cover_nothing(run: ScheduleRun, note: str) -> None:
    ScheduleRun.objects.filter(pk=run.pk).update(is_spread=True, note=note)


def covered_volumes(schedule: Schedule) -> "QuerySet[Volume]":
    """The volumes that a schedule backs up now."""
    if schedule.volume_id is not None:
        return Volume.objects.filter(pk=schedule.volume_id)
    volumes = Volume.objects.filter(volume_type__id__in=[schedule.volume_type_id])
    return volumes if schedule.all_projects else volumes.filter(project_id=schedule.project_id)


def _what_is_gone(schedule: Schedule) -> str:
    """Why there can never be anything to back up again; nothing, while there can."""
    if schedule.volume_id is not None:
        volumes = Volume.objects.filter(pk=schedule.volume_id)
        return "" if volumes.exists() else f"Its volume {schedule.volume_id} has been deleted."
    types = VolumeType.objects.filter(id__in=[schedule.volume_type_id])
    return "" if types.exists() else "Its volume type has been deleted."


def _spread(run: ScheduleRun, schedule: Schedule) -> None:
    volumes = covered_volumes(schedule).order_by("pk")
    if run.spread_to is not None:
        volumes = volumes.filter(pk__gt=run.spread_to)
    ids = [*volumes.values_list("pk", flat=True)[:BATCH]]
    jitter = timedelta(minutes=0 if run.is_extra else schedule.jitter_minutes)
    within = min(jitter, run.ends_at - run.begins_at)
    rows = [
        ScheduledBackup(
            run=run,
            schedule_id=run.schedule_id,
            volume_id=volume_id,
            begins_at=run.begins_at + share_of(within, run, volume_id),
        )
        for volume_id in ids
    ]
    with transaction.atomic():
        mine = ScheduleRun.objects.filter(pk=run.pk, spread_to=run.spread_to, is_spread=False)
        last = ids[-1] if ids else run.spread_to
        if mine.update(spread_to=last, is_spread=len(ids) < BATCH):
            ScheduledBackup.objects.bulk_create(rows)


def share_of(span: timedelta, run: ScheduleRun, volume_id: UUID) -> timedelta:
    """A part of the span that is the volume's in this slot, whoever asks."""
    seed = f"{run.schedule_id} {run.slot.timestamp()} {volume_id}"
    number = int.from_bytes(blake2b(seed.encode(), digest_size=8).digest())
    return span * (number / 2**64)


def end_runs() -> None:
    """End the runs whose volumes all have their outcome."""
    open_ones = ScheduledBackup.objects.filter(run=OuterRef("pk"), status__in=(WAITING, RUNNING))
    ended = ScheduleRun.objects.filter(finished_at=None, is_spread=True)
    for run in ended.filter(~Exists(open_ones))[:BATCH]:
        _end_run(run)


def _end_run(run: ScheduleRun) -> None:
    ScheduleRun.objects.filter(pk=run.pk, finished_at=None).update(
        status=ENDED, finished_at=Now(), updated_at=Now(), outcomes=count_outcomes([run.pk])[run.pk]
    )


def count_outcomes(run_ids: list[UUID]) -> dict[UUID, dict[str, int]]:
    """How many volumes of each run have come how far."""
    counts: dict[UUID, dict[str, int]] = {pk: dict.fromkeys(OUTCOMES, 0) for pk in run_ids}
    rows = ScheduledBackup.objects.filter(run__in=run_ids).values_list("run", "status")
    for run_id, status, number in rows.annotate(number=Count("pk")):
        counts[run_id][status] = number
    return counts


def disable(schedule: Schedule, reason: str) -> None:
    """Stop a schedule that cannot go on, and say why."""
    Schedule.objects.filter(pk=schedule.pk, enabled=True).update(
        enabled=False, disabled_reason=reason, next_slot=None, updated_at=Now()
    )
    log.warning("a schedule was disabled", schedule=str(schedule.pk), reason=reason)
