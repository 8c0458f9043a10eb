"""What can be asked of a schedule. What it does by itself is in `slots`, `scheduled` and
`pruning`."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from backups.cron import Cron, CronError
from backups.models import Schedule, ScheduleRun
from backups.repositories import BINARY
from backups.services.slots import begin_extra_run
from storage_project.api.faults import BadRequest, Conflict, NotFound, OverLimit
from storage_project.identity.caller import Caller
from volumes.models import Service, Volume, VolumeType

# What decides when the next slot is.
WHEN = frozenset({"cron", "time_zone", "enabled"})
MOST_OF_A_PROJECT = 100


def create_schedule(
    *,
    caller: Caller,
    volume: Volume | None = None,
    volume_type: VolumeType | None = None,
    all_projects: bool = False,
    **values: Any,
) -> Schedule:
    """Begin to back up one volume, or all of one type: those of the caller's project, or of
    `all_projects`. Its first slot is the next one. Raises `BadRequest` for what does not fit, and
    `OverLimit` when the project has too many.

    It belongs to the project of its volume, else to the caller's.
    """
    if (volume is None) == (volume_type is None):
        raise BadRequest("volume_id: give either the id of a volume or a volume_type.")
    if all_projects and volume_type is None:
        raise BadRequest("all_projects: only a schedule of a volume_type can span all projects.")
    assert caller.project_id is not None
    schedule = Schedule(
        project_id=volume.project_id if volume else caller.project_id,
        user_id=caller.user_id,
        volume_id=volume.pk if volume else None,
        volume_type_id=volume_type.pk if volume_type else None,
        all_projects=all_projects,
        **values,
    )
    _check(schedule)
    if Schedule.objects.filter(project_id=schedule.project_id).count() >= MOST_OF_A_PROJECT:
        raise OverLimit(f"A project has at most {MOST_OF_A_PROJECT} backup schedules.")
    _set_next_slot(schedule)
    schedule.save(force_insert=True)
    schedule.refresh_from_db(fields=["created_at"])
    return schedule


def update_schedule(*, schedule: Schedule, **changes: Any) -> Schedule:
    """Change anything but what it covers. Raises `BadRequest` as above.

    A schedule that is enabled, or has another time, goes on with the next slot from now on; those
    that went by meanwhile are not made up for.
    """
    with transaction.atomic():
        current = _locked(schedule)
        changed = {name for name, value in changes.items() if getattr(current, name) != value}
        for name in changed:
            setattr(current, name, changes[name])
        _check(current)
        if changed & WHEN:
            _set_next_slot(current)
        current.updated_at = timezone.now()
        # What it does by itself writes other columns.
        written = {*changed, "next_slot", "disabled_reason", "updated_at"}
        current.save(update_fields=written if changed & WHEN else {*changed, "updated_at"})
    return current


def delete_schedule(*, schedule: Schedule) -> None:
    """Forget a schedule. The backups that it has made stay, and nothing deletes them any more."""
    Schedule.objects.filter(pk=schedule.pk).delete()


def run_schedule(*, schedule: Schedule) -> ScheduleRun:
    """Back up all that it covers now, as a slot that is not in the plan; also a disabled one.
    Raises `Conflict` while another such run has not ended."""
    with transaction.atomic():
        current = _locked(schedule)
        others = ScheduleRun.objects.filter(schedule_id=schedule.pk, is_extra=True)
        if other := others.filter(finished_at=None).first():
            raise Conflict(f"Run {other.pk} of backup schedule {schedule.pk} has not ended yet.")
        return begin_extra_run(current, timezone.now())


def _locked(schedule: Schedule) -> Schedule:
    current = Schedule.objects.select_for_update().filter(pk=schedule.pk).first()
    if current is None:
        raise NotFound("Backup schedule", schedule.pk)
    return current


def _check(schedule: Schedule) -> None:
    try:
        cron = Cron(schedule.cron, schedule.time_zone)
    except CronError as error:
        raise BadRequest(f"{error.field}: {error}") from None
    if cron.after(timezone.now()) is None:
        raise BadRequest("cron: there is no such time.")
    window = schedule.window_minutes
    if window is not None and schedule.jitter_minutes > window:
        raise BadRequest(
            f"jitter_minutes: {schedule.jitter_minutes} is more than the {window} of "
            f"window_minutes."
        )
    if schedule.full_every is not None and not schedule.incremental:
        raise BadRequest("full_every: is for schedules that are incremental; of others all are.")
    if schedule.container is not None:
        _require_repository(schedule.container)


def _require_repository(container: str) -> None:
    services = Service.objects.filter(binary=BINARY)
    known = {host.partition("@")[2] for host in services.values_list("host", flat=True)}
    if container not in known:
        raise BadRequest(
            f"container: there is no repository {container}; known: {', '.join(sorted(known))}."
        )


def _set_next_slot(schedule: Schedule) -> None:
    schedule.disabled_reason = ""
    cron = Cron(schedule.cron, schedule.time_zone)
    schedule.next_slot = cron.after(timezone.now()) if schedule.enabled else None
