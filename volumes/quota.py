"""Quotas: exact under concurrency, because every charge locks the project's usage rows first.

At any commit `in_use` equals what the rows of the project add up to, and `reserved` what its active
operations will add when they succeed; `expected_usage()` counts it afresh.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from django.db.models import F, QuerySet

from storage_project.api.faults import OverLimit
from volumes.models import QuotaLimit, QuotaUsage, Snapshot, Volume, VolumeType

UNLIMITED = -1
# What a project may have unless an admin says otherwise; Cinder's own defaults.
DEFAULTS = {
    "volumes": 10,
    "gigabytes": 1000,
    "snapshots": 10,
    "backups": 10,
    "backup_gigabytes": 1000,
    "per_volume_gigabytes": UNLIMITED,
    "groups": 10,
}
# Each volume type has these of its own, as `gigabytes_<name of the type>`.
PER_TYPE = ("volumes", "gigabytes", "snapshots")


def known_resources() -> list[str]:
    """Every resource that has a quota, in the order shown: the general ones, then per type."""
    names = VolumeType.objects.order_by("name").values_list("name", flat=True)
    return [*DEFAULTS, *(f"{prefix}_{name}" for name in names for prefix in PER_TYPE)]


def volume_charges(type_name: str, size_gib: int) -> dict[str, int]:
    """What one volume counts for."""
    return {"volumes": 1, f"volumes_{type_name}": 1} | growth_charges(type_name, size_gib)


def growth_charges(type_name: str, added_gib: int) -> dict[str, int]:
    """What a volume that grows counts for."""
    return {"gigabytes": added_gib, f"gigabytes_{type_name}": added_gib}


def snapshot_charges(type_name: str, size_gib: int) -> dict[str, int]:
    """What one snapshot counts for."""
    return {"snapshots": 1, f"snapshots_{type_name}": 1} | growth_charges(type_name, size_gib)


def backup_charges(size_gib: int) -> dict[str, int]:
    """What one backup counts for."""
    return {"backups": 1, "backup_gigabytes": size_gib}


def limits_of(project_id: str) -> dict[str, int]:
    """The limits in force: the project's own, else the admin's default, else the built-in one."""
    rows = QuotaLimit.objects.filter(project_id__in=["", project_id]).order_by("project_id")
    # The default rows come first, so the project's own replace them.
    return DEFAULTS | dict(rows.values_list("resource", "limit"))


def take(
    project_id: str,
    charges: Mapping[str, int],
    *,
    limits: Mapping[str, int],
    column: str = "in_use",
) -> None:
    """Add `charges` to a project's usage, or raise `OverLimit` and add nothing.

    `limits` are those in force, which the caller may have looked at already.
    """
    usages = _locked(project_id, charges)
    for resource, charge in charges.items():
        usage, limit = usages[resource], limits.get(resource, UNLIMITED)
        if limit != UNLIMITED and usage.in_use + usage.reserved + charge > limit:
            raise OverLimit(_refusal(usage, charge, limit))
    _add(project_id, charges, column)


def give_back(project_id: str, charges: Mapping[str, int], *, column: str = "in_use") -> None:
    """Take `charges` off a project's usage."""
    _locked(project_id, charges)
    _add(project_id, {resource: -charge for resource, charge in charges.items()}, column)


def settle(project_id: str, charges: Mapping[str, int]) -> None:
    """Turn what was reserved into what is in use."""
    _locked(project_id, charges)
    _add(project_id, charges, "in_use")
    _add(project_id, {resource: -charge for resource, charge in charges.items()}, "reserved")


def _usages(project_id: str, resources: Iterable[str]) -> "QuerySet[QuotaUsage]":
    return QuotaUsage.objects.filter(project_id=project_id, resource__in=[*resources])


def _locked(project_id: str, charges: Mapping[str, int]) -> dict[str, QuotaUsage]:
    """The usage rows, locked in one order everywhere so that no two transactions wait in a ring."""
    rows = _usages(project_id, charges).select_for_update().order_by("resource")
    usages = {usage.resource: usage for usage in rows}
    if len(usages) < len(charges):
        missing = [
            QuotaUsage(project_id=project_id, resource=resource)
            for resource in sorted(charges.keys() - usages.keys())
        ]
        QuotaUsage.objects.bulk_create(missing, ignore_conflicts=True)
        usages = {usage.resource: usage for usage in rows.all()}
    return usages


def _add(project_id: str, charges: Mapping[str, int], column: str) -> None:
    # A statement for each amount, of which there are two: cheaper than one with a CASE.
    for charge in set(charges.values()):
        alike = [resource for resource in charges if charges[resource] == charge]
        _usages(project_id, alike).update(**{column: F(column) + charge})


def _refusal(usage: QuotaUsage, charge: int, limit: int) -> str:
    taken = usage.in_use + usage.reserved
    if usage.resource.startswith("gigabytes"):
        return (
            f"Requested volume or snapshot exceeds allowed {usage.resource} quota. Requested "
            f"{charge}G, quota is {limit}G and {taken}G has been consumed."
        )
    if usage.resource == "backup_gigabytes":
        return (
            f"Requested backup exceeds allowed Backup gigabytes quota. Requested {charge}G, quota "
            f"is {limit}G and {taken}G has been consumed."
        )
    return f"Maximum number of {usage.resource} allowed ({limit}) exceeded: {taken} exist."


def expected_usage(project_id: str) -> Counter[str]:
    """What `in_use` must be, counted from the rows themselves."""
    usage: Counter[str] = Counter()
    volumes = Volume.objects.filter(project_id=project_id)
    for type_name, size_gib in volumes.values_list("volume_type__name", "size_gib"):
        usage.update(volume_charges(type_name, size_gib))
    snapshots = Snapshot.objects.filter(project_id=project_id)
    for type_name, size_gib in snapshots.values_list("volume__volume_type__name", "size_gib"):
        usage.update(snapshot_charges(type_name, size_gib))
    return usage
