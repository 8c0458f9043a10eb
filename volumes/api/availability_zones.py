"""`/os-availability-zone`: where volumes can live."""

from rest_framework.response import Response

from storage_project.api.requests import ResourceRequest
from storage_project.api.views import ResourceView
from volumes import selectors


class ZonesView(ResourceView):
    """Every zone that a backend stands in; available while one of them takes volumes."""

    name = "Availability zones"
    policies = {"GET": "zone:list"}

    def get(self, request: ResourceRequest) -> Response:
        zones = [
            {"zoneName": zone, "zoneState": {"available": available}}
            for zone, available in sorted(selectors.availability_zones().items())
        ]
        return Response({"availabilityZoneInfo": zones})
