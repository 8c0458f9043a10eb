"""`/limits`: what a project may have and what it has, as dashboards show it on every page."""

from rest_framework.response import Response

from storage_project.api.requests import ResourceRequest
from storage_project.api.versions import Microversion
from storage_project.api.views import ResourceView
from storage_project.identity.policy import allows
from volumes import selectors

# Names in the answer, and the resources whose limit and use they are.
LIMITS = {
    "maxTotalVolumes": "volumes",
    "maxTotalVolumeGigabytes": "gigabytes",
    "maxTotalSnapshots": "snapshots",
    "maxTotalBackups": "backups",
    "maxTotalBackupGigabytes": "backup_gigabytes",
}
USED = {
    "totalVolumesUsed": "volumes",
    "totalGigabytesUsed": "gigabytes",
    "totalSnapshotsUsed": "snapshots",
    "totalBackupsUsed": "backups",
    "totalBackupGigabytesUsed": "backup_gigabytes",
}
OTHER_PROJECT_SINCE = Microversion(3, 39)


def asked_project(request: ResourceRequest) -> str:
    """The caller's project; for an administrator the one that `?project_id=` names."""
    own: str = request.auth.project_id
    named = request.query_params.get("project_id") or request.query_params.get("tenant_id")
    if (
        named
        and request.microversion >= OTHER_PROJECT_SINCE
        and allows(request.auth, "limits:show_other")
    ):
        return named
    return own


class LimitsView(ResourceView):
    """Limits and use. There are no limits on the rate of requests."""

    name = "Limits"
    policies = {"GET": "limits:show"}

    def get(self, request: ResourceRequest) -> Response:
        usage = selectors.quota_usage(asked_project(request))
        absolute = {name: usage[resource]["limit"] for name, resource in LIMITS.items()}
        absolute |= {
            name: usage[resource]["in_use"] + usage[resource]["reserved"]
            for name, resource in USED.items()
        }
        return Response({"limits": {"rate": [], "absolute": absolute}})
