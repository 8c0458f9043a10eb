"""`/limits` and `/os-quota-sets`: what a project's servers have. Nothing limits it: they are made
elsewhere.

Clients ask every Compute service for these, also where somebody only wants to see the limits of
block storage.
"""

from rest_framework.response import Response

from storage_project.api.faults import NotFound
from storage_project.api.requests import ResourceRequest
from storage_project.identity.policy import allows
from storage_project.identity.selectors import find_project
from volumes.compute import selectors
from volumes.compute.views import ComputeView

UNLIMITED = -1
# The names in the answer of `/limits`: of the limit, and of what there is.
ABSOLUTE = {
    "instances": ("maxTotalInstances", "totalInstancesUsed"),
    "cores": ("maxTotalCores", "totalCoresUsed"),
    "ram": ("maxTotalRAMSize", "totalRAMUsed"),
}


class LimitsView(ComputeView):
    """What the servers of the project have, and that nothing limits it."""

    name = "Limits of servers"
    policies = {"GET": "limits:show"}

    def get(self, request: ResourceRequest) -> Response:
        absolute: dict[str, int] = {}
        for resource, used in selectors.usage_of(request.auth.project_id).items():
            limit_name, used_name = ABSOLUTE[resource]
            absolute |= {limit_name: UNLIMITED, used_name: used}
        return Response({"limits": {"rate": [], "absolute": absolute}})


class QuotasView(ComputeView):
    """What limits the servers of a project: nothing, which is so after a DELETE, too."""

    name = "Quotas of servers"
    policies = {"GET": "quota:show", "DELETE": "quota:delete"}

    def get(self, request: ResourceRequest, quota_project_id: str) -> Response:
        return show_limits(request, quota_project_id)

    def delete(self, request: ResourceRequest, quota_project_id: str) -> Response:
        check_project(request, quota_project_id)
        return Response(status=202)


class QuotaDefaultsView(ComputeView):
    """What limits the servers of a project that has no limits of its own: nothing."""

    name = "Default quotas of servers"
    policies = {"GET": "quota:show"}

    def get(self, request: ResourceRequest, quota_project_id: str) -> Response:
        return show_limits(request, quota_project_id)


class QuotasDetailView(ComputeView):
    """What the servers of a project have, and that nothing limits it."""

    name = "Quotas of servers in detail"
    policies = {"GET": "quota:show"}

    def get(self, request: ResourceRequest, quota_project_id: str) -> Response:
        check_project(request, quota_project_id)
        shown = {
            resource: {"limit": UNLIMITED, "in_use": used, "reserved": 0}
            for resource, used in selectors.usage_of(quota_project_id).items()
        }
        return Response({"quota_set": {"id": quota_project_id, **shown}})


def show_limits(request: ResourceRequest, project_id: str) -> Response:
    check_project(request, project_id)
    return Response({"quota_set": {"id": project_id, **dict.fromkeys(ABSOLUTE, UNLIMITED)}})


def check_project(request: ResourceRequest, project_id: str) -> None:
    """404 unless it is the caller's own or, for an administrator, any that exists."""
    if project_id == request.auth.project_id:
        return
    if not (allows(request.auth, "quota:show_other") and find_project(project_id=project_id)):
        raise NotFound("Project", project_id)
