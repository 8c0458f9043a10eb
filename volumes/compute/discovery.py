"""What a client of the Compute API asks first: which versions are spoken here. Open to all."""

from typing import Any

from rest_framework.response import Response

from storage_project.api.links import base_url
from storage_project.api.requests import ResourceRequest
from volumes.compute.views import VERSION, ComputeView

UPDATED = "2013-07-23T11:33:21Z"


def describe_version(request: ResourceRequest) -> dict[str, Any]:
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": VERSION,
        "min_version": VERSION,
        "updated": UPDATED,
        "links": [{"rel": "self", "href": f"{base_url(request)}/compute/v2.1/"}],
    }


class VersionsView(ComputeView):
    """All versions: one."""

    name = "Compute"
    authentication_classes = ()
    permission_classes = ()

    def get(self, request: ResourceRequest) -> Response:
        return Response({"versions": [describe_version(request)]})


class VersionView(ComputeView):
    """The version at this address."""

    name = "Compute v2.1"
    authentication_classes = ()
    permission_classes = ()

    def get(self, request: ResourceRequest) -> Response:
        return Response({"version": describe_version(request)})
