"""Project-scoped reads of backups. No view touches `objects` itself."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import (
    BooleanField,
    Count,
    Exists,
    ExpressionWrapper,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Coalesce, Concat

from backups.models import Backup, Damage, Repository, Schedule, ScheduledBackup, ScheduleRun
from backups.repositories import BINARY
from storage_project.api.lookup import get_by_uuid
from storage_project.identity.caller import Caller
from storage_project.operations.services import active_operations
from volumes.models import Service, Volume, VolumeType
from volumes.pools import IS_UP

HAS_DEPENDANTS = Exists(Backup.objects.filter(parent_id=OuterRef("pk")))
TYPE_NAME = Subquery(VolumeType.objects.filter(pk=OuterRef("volume_type_id")).values("name")[:1])


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


def schedules_of(caller: Caller, *, all_projects: bool = False) -> "QuerySet[Schedule]":
    """The schedules of the caller's project, or of all; each with the `volume_type_name`. Those
    that span all projects are an administrator's, whatever project that was for."""
    schedules = Schedule.objects.annotate(volume_type_name=TYPE_NAME)
    if not caller.is_admin:
        schedules = schedules.filter(all_projects=False)
    return schedules if all_projects else schedules.filter(project_id=caller.project_id)


def get_schedule(caller: Caller, schedule_id: UUID | str) -> Schedule:
    """One schedule; an admin's may be of any project. 404 for anything else, a non-UUID too."""
    visible = schedules_of(caller, all_projects=caller.is_admin)
    return get_by_uuid(visible, "Backup schedule", schedule_id)


def runs_of(schedule: Schedule) -> "QuerySet[ScheduleRun]":
    """The slots that a schedule has had."""
    return ScheduleRun.objects.filter(schedule_id=schedule.pk)


def volumes_in_run(schedule: Schedule, run_id: UUID | str) -> "QuerySet[ScheduledBackup]":
    """What has become of each volume in one of them. 404 for a run that the schedule has not."""
    run = get_by_uuid(runs_of(schedule), "Run", run_id)
    return ScheduledBackup.objects.filter(run=run)


def note_work(backups: Iterable[Backup]) -> None:
    """Have each backup know the operation that is at work on it, in one query for all."""
    by_id = {backup.pk: backup for backup in backups}
    if by_id:
        for operation in active_operations(*by_id).order_by("created_at"):
            by_id[operation.resource_id].work = operation


def repositories() -> "QuerySet[Any]":
    """All repositories, each with its `availability_zone`, whether it `is_up` and `enabled`, and
    how many `open_damages` it has."""
    services = Service.objects.filter(
        binary=BINARY, host__endswith=Concat(Value("@"), OuterRef("name"))
    )
    damages = Damage.objects.filter(repository=OuterRef("pk"), healed_at=None).order_by()
    counted = damages.values("repository").annotate(number=Count("pk")).values("number")
    return Repository.objects.annotate(
        availability_zone=Subquery(services.values("availability_zone")[:1]),
        is_up=Exists(services.annotate(beats=IS_UP).filter(beats=True)),
        enabled=Exists(services.filter(enabled=True)),
        open_damages=Coalesce(Subquery(counted), 0),
    )


def get_repository(repository_id: UUID | str) -> Repository:
    """One of them. 404 for anything else, a non-UUID too."""
    found: Repository = get_by_uuid(repositories(), "Backup repository", repository_id)
    return found


def damages_of(repository: Repository | None = None) -> "QuerySet[Damage]":
    """What is damaged in a repository, or in all, or was; each with its `backup_count`."""
    damages = Damage.objects.filter(repository=repository) if repository else Damage.objects.all()
    return damages.annotate(
        backup_count=Count("backups"),
        is_healed=ExpressionWrapper(Q(healed_at__isnull=False), output_field=BooleanField()),
    )
