"""`/os-availability-zone`: where servers are."""

from rest_framework.response import Response

from storage_project.api.requests import ResourceRequest
from volumes.compute.representations import ZONE
from volumes.compute.views import ComputeView


class ZonesView(ComputeView):
    """The one that every server tells; which hosts it has is not."""

    name = "Availability zones of servers"
    policies = {"GET": "zone:list"}

    def get(self, request: ResourceRequest) -> Response:
        zone = {"zoneName": ZONE, "zoneState": {"available": True}, "hosts": None}
        return Response({"availabilityZoneInfo": [zone]})
