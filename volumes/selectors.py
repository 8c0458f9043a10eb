"""Project-scoped reads. No view touches `objects` itself."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet, Sum

from storage_project.api.faults import NotFound
from storage_project.identity.caller import Caller
from volumes.models import Pool, QuotaUsage, Service, Volume, VolumeType
from volumes.pools import IS_UP, POOL_IS_UP
from volumes.quota import UNLIMITED, limits_of


def volumes_of(caller: Caller, *, all_projects: bool = False) -> "QuerySet[Volume]":
    """The volumes of the caller's project, or of all, with what a detail shows in one query."""
    volumes = Volume.objects.select_related("volume_type", "pool__service")
    return volumes if all_projects else volumes.filter(project_id=caller.project_id)


def get_volume(caller: Caller, volume_id: UUID | str) -> Volume:
    """One volume; an admin's may be of any project. 404 for anything else, a non-UUID too."""
    volume: Volume | None = _by_uuid(volumes_of(caller, all_projects=caller.is_admin), volume_id)
    if volume is None:
        raise NotFound("Volume", volume_id)
    return volume


def _by_uuid(rows: "QuerySet[Any]", name: UUID | str) -> Any:
    try:
        uuid = name if isinstance(name, UUID) else UUID(name)
    except ValueError:
        return None
    return rows.filter(pk=uuid).first()


def types_for(caller: Caller) -> "QuerySet[VolumeType]":
    """The types that the caller may use: an admin all, others the public ones."""
    types = VolumeType.objects.all()
    return types if caller.is_admin else types.filter(is_public=True)


def get_type(caller: Caller, name_or_id: UUID | str) -> VolumeType:
    """A type by id or by name, as clients give either."""
    types = types_for(caller)
    found: VolumeType | None = (
        _by_uuid(types, name_or_id) or types.filter(name=str(name_or_id)).first()
    )
    if found is None:
        raise NotFound("Volume type", name_or_id)
    return found


def default_type() -> VolumeType:
    """The type of a volume whose creator names none."""
    found = VolumeType.objects.filter(name=VolumeType.DEFAULT_NAME).first()
    if found is None:
        raise NotFound("Default volume type", VolumeType.DEFAULT_NAME)
    return found


def services() -> "QuerySet[Any]":
    """All services, each annotated with `is_up`."""
    return Service.objects.annotate(is_up=IS_UP).order_by("binary", "host")


def pools() -> "QuerySet[Pool]":
    """All pools with their service, each annotated with `is_up`."""
    return (
        Pool.objects.select_related("service")
        .annotate(is_up=POOL_IS_UP)
        .order_by("service__host", "name")
    )


def availability_zones() -> dict[str, bool]:
    """Every zone that a backend stands in, and whether one of them is up and enabled."""
    zones: dict[str, bool] = {}
    backends = services().filter(binary="cinder-volume")
    for service in backends:
        zone = service.availability_zone
        zones[zone] = zones.get(zone, False) or (service.is_up and service.enabled)
    return zones


def quota_usage(project_id: str, resources: Collection[str]) -> dict[str, dict[str, int]]:
    """For each resource its limit and what is in use and reserved, as `?usage=True` shows it."""
    limits = limits_of(project_id)
    usages = {row.resource: row for row in QuotaUsage.objects.filter(project_id=project_id)}
    nothing = QuotaUsage()
    return {
        resource: {
            "limit": limits.get(resource, UNLIMITED),
            "in_use": usages.get(resource, nothing).in_use,
            "reserved": usages.get(resource, nothing).reserved,
            "allocated": 0,
        }
        for resource in resources
    }


def volumes_summary(volumes: "QuerySet[Volume]") -> tuple[int, int]:
    """How many volumes, and how many GiB in all."""
    totals = volumes.aggregate(count=Count("pk"), size=Sum("size_gib"))
    return totals["count"], totals["size"] or 0
