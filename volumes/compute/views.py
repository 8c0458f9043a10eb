"""The base of the endpoints of Compute: its own microversion, of which there is one."""

from typing import Any

from django.utils.cache import patch_vary_headers
from drf_spectacular.utils import OpenApiParameter
from rest_framework.response import Response

from storage_project.api import versions
from storage_project.api.faults import NotAcceptable
from storage_project.api.requests import ResourceRequest
from storage_project.api.versions import Microversion
from storage_project.api.views import ResourceView

VERSION = "2.1"
OLDER_HEADER = "X-OpenStack-Nova-API-Version"


class ComputeView(ResourceView):
    """One address of the Compute API."""

    microversion_parameter = OpenApiParameter(
        versions.HEADER,
        location=OpenApiParameter.HEADER,
        description=f"`compute {VERSION}` or `compute latest`, which are the same; or nothing.",
    )

    def negotiate_microversion(self, request: ResourceRequest) -> Microversion:
        """Refuse every version but ours. What block storage shares is shown at its latest."""
        wanted = {
            wanted.strip()
            for service, _, wanted in (
                part.strip().partition(" ")
                for part in request.headers.get(versions.HEADER, "").split(",")
            )
            if service.lower() == "compute"
        }
        if older := request.headers.get(OLDER_HEADER):
            wanted.add(older.strip())
        for version in wanted - {VERSION, "latest"}:
            raise NotAcceptable(
                f"Version {version[:32]} is not supported by the API. Minimum is {VERSION} and "
                f"maximum is {VERSION}.",
                extra={"min_version": VERSION, "max_version": VERSION},
            )
        return versions.MAX

    def finalize_response(  # type: ignore[override]
        self, request: ResourceRequest, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        patch_vary_headers(response, [OLDER_HEADER])
        response[versions.HEADER] = f"compute {VERSION}"
        response[OLDER_HEADER] = VERSION
        return response
