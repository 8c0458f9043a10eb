"""`/resource_filters`: what each list can be narrowed down by."""

from rest_framework.response import Response

from storage_project.api.filters import ListFilter
from storage_project.api.gates import gate_of
from storage_project.api.requests import ResourceRequest
from storage_project.api.versions import Microversion
from storage_project.api.views import ResourceView
from storage_project.operations.api.messages import MessageFilter
from storage_project.operations.api.operations import OperationFilter
from volumes.api.attachment_filter import AttachmentFilter
from volumes.api.pools import PoolFilter
from volumes.api.snapshot_filter import SnapshotFilter
from volumes.api.volume_filter import VolumeFilter
from volumes.api.volume_types import TypeFilter

FILTERS: dict[str, type[ListFilter]] = {
    "volume": VolumeFilter,
    "snapshot": SnapshotFilter,
    "attachment": AttachmentFilter,
    "volume_type": TypeFilter,
    "message": MessageFilter,
    "operation": OperationFilter,
    "pool": PoolFilter,
}


def list_names(filters: type[ListFilter], request: ResourceRequest) -> list[str]:
    """The filters that this caller has at this microversion."""
    return [
        name
        for name, item in filters.get_filters().items()
        if gate_of(item).admits(request.microversion, is_admin=request.auth.is_admin)
    ]


class ResourceFiltersView(ResourceView):
    """The filters of every list, or with `?resource=` of one."""

    name = "Filters"
    policies = {"GET": "filter:list"}
    gates = {"GET": Microversion(3, 33)}

    def get(self, request: ResourceRequest) -> Response:
        asked = request.query_params.get("resource")
        found = [
            {"resource": resource, "filters": list_names(filters, request)}
            for resource, filters in FILTERS.items()
            if asked in (None, resource)
        ]
        return Response({"resource_filters": found})
