"""Project-scoped reads. No view touches `objects` itself."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Prefetch, QuerySet, Sum

from storage_project.api.faults import Conflict, NotFound
from storage_project.api.lookup import get_by_uuid
from storage_project.identity.caller import Caller
from volumes.models import Attachment, Pool, QuotaUsage, Service, Snapshot, Volume, VolumeType
from volumes.pools import IS_UP, POOL_IS_UP
from volumes.quota import UNLIMITED, known_resources, limits_of

# What a volume shows of other rows.
PLACES = ("volume_type", "pool__service")
# As a plain list: for a related manager Django makes a query for each volume, though it never runs.
ATTACHED = Prefetch(
    "attachments", queryset=Attachment.objects.filter(status="attached"), to_attr="attached"
)
SURROUNDINGS = (*PLACES, ATTACHED)


def volumes_of(caller: Caller, *, all_projects: bool = False) -> "QuerySet[Volume]":
    """The volumes of the caller's project, or of all.

    What they show of their types, pools, services and attachments is read once for all rows: four
    queries, and one object for each type instead of one for each volume.
    """
    volumes = Volume.objects.prefetch_related(*SURROUNDINGS)
    return volumes if all_projects else volumes.filter(project_id=caller.project_id)


def get_volume(caller: Caller, volume_id: UUID | str) -> Volume:
    """One volume; an admin's may be of any project. 404 for anything else, a non-UUID too."""
    visible = volumes_of(caller, all_projects=caller.is_admin).prefetch_related(None)
    return get_by_uuid(visible.select_related(*PLACES), "Volume", volume_id)


def find_volume(name: str) -> Volume:
    """One volume of any project, for who has a shell: by its id, or by a name that no other has."""
    volumes = Volume.objects.select_related(*PLACES)
    named = list(volumes.filter(name=name)[:2])
    if len(named) == 2:
        raise Conflict(f"There is more than one volume named {name}: say which, by its id.")
    return named[0] if named else get_by_uuid(volumes, "Volume", name)


def snapshots_of(caller: Caller, *, all_projects: bool = False) -> "QuerySet[Snapshot]":
    """The snapshots of the caller's project, or of all."""
    snapshots = Snapshot.objects.all()
    return snapshots if all_projects else snapshots.filter(project_id=caller.project_id)


def get_snapshot(caller: Caller, snapshot_id: UUID | str) -> Snapshot:
    """One snapshot; an admin's may be of any project. 404 for anything else, a non-UUID too."""
    visible = snapshots_of(caller, all_projects=caller.is_admin)
    return get_by_uuid(visible.select_related("volume__volume_type"), "Snapshot", snapshot_id)


def attachments_of(caller: Caller, *, all_projects: bool = False) -> "QuerySet[Attachment]":
    """The attachments of the caller's project, or of all."""
    attachments = Attachment.objects.all()
    return attachments if all_projects else attachments.filter(project_id=caller.project_id)


def with_connection_info(attachments: "QuerySet[Attachment]") -> "QuerySet[Attachment]":
    """The same, with what is sealed in them read in the same query."""
    return attachments.defer(None).defer("secret")


def get_attachment(caller: Caller, attachment_id: UUID | str) -> Attachment:
    """One attachment; an admin's may be of any project. 404 for anything else, a non-UUID too."""
    visible = attachments_of(caller, all_projects=caller.is_admin)
    return get_by_uuid(with_connection_info(visible), "Attachment", attachment_id)


def get_source(
    caller: Caller, *, snapshot_id: UUID | None, volume_id: UUID | None
) -> Snapshot | Volume | None:
    """What a new volume is to begin with, if anything. An admin's, too, is of its own project:
    content does not go from one to the other by a mere id."""
    if snapshot_id is not None:
        snapshots = snapshots_of(caller).select_related("volume__volume_type")
        return get_by_uuid(snapshots, "Snapshot", snapshot_id)
    if volume_id is not None:
        volumes = volumes_of(caller).prefetch_related(None).select_related("volume_type")
        return get_by_uuid(volumes, "Volume", volume_id)
    return None


def types_for(caller: Caller, *, is_public: bool | None = None) -> "QuerySet[VolumeType]":
    """The types that the caller may use: an admin all, or those of one kind; others the public."""
    wanted = is_public if caller.is_admin else True
    types = VolumeType.objects.all()
    return types if wanted is None else types.filter(is_public=wanted)


def get_type(caller: Caller, type_id: UUID | str) -> VolumeType:
    """A type by its id. 404 for anything else, a private one of a mere member too."""
    return get_by_uuid(types_for(caller), "Volume type", type_id)


def find_type(caller: Caller, name_or_id: str) -> VolumeType:
    """A type by name or by id, as clients give either; the default for an empty one."""
    if not name_or_id:
        return default_type()
    by_name = types_for(caller).filter(name=name_or_id).first()
    return by_name or get_type(caller, name_or_id)


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


def quota_limits(project_id: str) -> dict[str, int]:
    """The limit of every resource for a project, or with "" the defaults of all."""
    limits = limits_of(project_id)
    return {resource: limits.get(resource, UNLIMITED) for resource in known_resources()}


def quota_usage(project_id: str) -> dict[str, dict[str, int]]:
    """For every resource its limit and what is in use and reserved, as `?usage=True` shows it."""
    usages = {row.resource: row for row in QuotaUsage.objects.filter(project_id=project_id)}
    nothing = QuotaUsage()
    return {
        resource: {
            "limit": limit,
            "in_use": usages.get(resource, nothing).in_use,
            "reserved": usages.get(resource, nothing).reserved,
            "allocated": 0,
        }
        for resource, limit in quota_limits(project_id).items()
    }


@dataclass(frozen=True)
class Summary:
    """How many volumes, and how many GiB in all."""

    volumes: "QuerySet[Volume]"
    count: int
    size_gib: int


def summarize(volumes: "QuerySet[Volume]") -> Summary:
    """Add the volumes up."""
    totals = volumes.aggregate(count=Count("pk"), size_gib=Sum("size_gib", default=0))
    return Summary(volumes, **totals)


def metadata_in_use(volumes: "QuerySet[Volume]") -> dict[str, list[str]]:
    """Every key of the volumes' metadata with the values that it has there."""
    values: dict[str, set[str]] = {}
    for metadata in volumes.values_list("metadata", flat=True).distinct():
        for key, value in metadata.items():
            values.setdefault(key, set()).add(value)
    return {key: sorted(found) for key, found in sorted(values.items())}
