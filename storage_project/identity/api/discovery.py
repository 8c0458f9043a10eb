"""The version documents of Identity, open to all: clients read them before they sign in."""

from typing import Any

from rest_framework.response import Response

from storage_project.api.requests import ResourceRequest
from storage_project.identity.api.views import IdentityView
from storage_project.identity.catalog import identity_url


class VersionsView(IdentityView):
    """All versions: one. 300, as Keystone says it, although there is nothing to choose."""

    authentication_classes = ()
    policies = {"GET": "identity:discover"}

    def get(self, request: ResourceRequest) -> Response:
        return Response({"versions": {"values": [describe_version(request)]}}, status=300)


class VersionView(IdentityView):
    authentication_classes = ()
    policies = {"GET": "identity:discover"}

    def get(self, request: ResourceRequest) -> Response:
        return Response({"version": describe_version(request)})


def describe_version(request: ResourceRequest) -> dict[str, Any]:
    media_type = {
        "base": "application/json",
        "type": "application/vnd.openstack.identity-v3+json",
    }
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{identity_url(request)}/"}],
        "media-types": [media_type],
    }
