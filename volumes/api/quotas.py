"""`/os-quota-sets` and `/os-quota-class-sets`: how much a project may have, and has."""

from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from storage_project.api.bodies import Body
from storage_project.api.faults import NotFound
from storage_project.api.input_fields import IntegerLike
from storage_project.api.parameters import read_flag
from storage_project.api.requests import ResourceRequest
from storage_project.api.views import ResourceView
from storage_project.identity.policy import allows
from storage_project.identity.selectors import find_project
from volumes import selectors
from volumes.services import quotas as services

# The only class there is: its limits count for every project that has none of its own.
DEFAULT_CLASS = "default"


class LimitsField(serializers.DictField):
    """A limit for each resource; which ones there are depends on the volume types."""

    child = IntegerLike(min_value=-1)
    # Clients repeat here what the address says.
    names_of_project = frozenset({"id", "tenant_id", "project_id", "class_name"})

    def to_internal_value(self, data: Any) -> dict[str, int]:
        if isinstance(data, dict):
            data = {
                name: limit for name, limit in data.items() if name not in self.names_of_project
            }
        limits: dict[str, int] = super().to_internal_value(data)
        return limits


class UpdateQuotas(Body):
    example = {"quota_set": {"volumes": 20, "gigabytes": 2000}}

    quota_set = LimitsField()


class UpdateQuotaClass(Body):
    example = {"quota_class_set": {"volumes": 20, "gigabytes": 2000}}

    quota_class_set = LimitsField()


class QuotaView(ResourceView):
    """What is about one project: the caller's own, or, for an administrator, any that exists."""

    def check_quota_project(self, request: ResourceRequest, project_id: str) -> None:
        if project_id == request.auth.project_id:
            return
        if allows(request.auth, "quota:show_other") and find_project(project_id=project_id):
            return
        raise NotFound("Project", project_id)

    def show(self, project_id: str, resources: dict[str, Any]) -> Response:
        return Response({"quota_set": {"id": project_id, **resources}})


class QuotasView(QuotaView):
    """The limits of a project; with `?usage=true` what it has, too."""

    name = "Quotas"
    policies = {"GET": "quota:show", "PUT": "quota:update", "DELETE": "quota:delete"}
    bodies = {"PUT": UpdateQuotas}

    def get(self, request: ResourceRequest, quota_project_id: str) -> Response:
        self.check_quota_project(request, quota_project_id)
        if read_flag(request, "usage"):
            return self.show(quota_project_id, selectors.quota_usage(quota_project_id))
        return self.show(quota_project_id, selectors.quota_limits(quota_project_id))

    def put(self, request: ResourceRequest, quota_project_id: str) -> Response:
        limits = self.read(request)["quota_set"]
        self.check_quota_project(request, quota_project_id)
        services.set_limits(project_id=quota_project_id, limits=limits)
        return Response({"quota_set": selectors.quota_limits(quota_project_id)})

    def delete(self, request: ResourceRequest, quota_project_id: str) -> Response:
        self.check_quota_project(request, quota_project_id)
        services.delete_limits(project_id=quota_project_id)
        return Response(status=200)


class QuotaDefaultsView(QuotaView):
    """The limits of a project that has none of its own."""

    name = "Default quotas"
    policies = {"GET": "quota:show"}

    def get(self, request: ResourceRequest, quota_project_id: str) -> Response:
        self.check_quota_project(request, quota_project_id)
        return self.show(quota_project_id, selectors.quota_limits(""))


class QuotaDetailView(QuotaView):
    """The limits of a project, and what it has."""

    name = "Quotas in detail"
    policies = {"GET": "quota:show"}

    def get(self, request: ResourceRequest, quota_project_id: str) -> Response:
        self.check_quota_project(request, quota_project_id)
        return self.show(quota_project_id, selectors.quota_usage(quota_project_id))


class QuotaClassView(ResourceView):
    """The default limits, which count for every project that has none of its own."""

    name = "Quota class"
    policies = {"GET": "quota_class:show", "PUT": "quota_class:update"}
    bodies = {"PUT": UpdateQuotaClass}

    def get(self, request: ResourceRequest, class_name: str) -> Response:
        self.check_class(class_name)
        shown = {"id": class_name, **selectors.quota_limits("")}
        return Response({"quota_class_set": shown})

    def put(self, request: ResourceRequest, class_name: str) -> Response:
        limits = self.read(request)["quota_class_set"]
        self.check_class(class_name)
        services.set_limits(project_id="", limits=limits)
        return Response({"quota_class_set": selectors.quota_limits("")})

    def check_class(self, class_name: str) -> None:
        if class_name != DEFAULT_CLASS:
            raise NotFound("Quota class", class_name)
