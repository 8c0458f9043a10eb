"""Quotas as an admin sets them."""

from collections.abc import Mapping

from django.db import transaction

from storage_project.api.faults import BadRequest
from volumes.models import QuotaLimit
from volumes.quota import known_resources


def set_limits(*, project_id: str, limits: Mapping[str, int]) -> None:
    """Set limits of a project, or with "" the defaults of all. -1 is no limit."""
    unknown = sorted(limits.keys() - set(known_resources()))
    if unknown:
        raise BadRequest(f"{', '.join(unknown)}: there is no such quota.")
    too_low = sorted(resource for resource, limit in limits.items() if limit < -1)
    if too_low:
        raise BadRequest(f"{', '.join(too_low)}: a limit is -1 (none) or more.")
    with transaction.atomic():
        for resource, limit in limits.items():
            QuotaLimit.objects.update_or_create(
                project_id=project_id, resource=resource, defaults={"limit": limit}
            )


def delete_limits(*, project_id: str) -> None:
    """Let the defaults count for a project again."""
    QuotaLimit.objects.filter(project_id=project_id).delete()
