"""`/flavors`: the sizes that servers have; clients look there for what a server says of its own."""

from typing import Any

from rest_framework.response import Response

from storage_project.api.faults import NotFound
from storage_project.api.requests import ResourceRequest
from volumes.compute import selectors
from volumes.compute.representations import flavor_link, flavor_name
from volumes.compute.views import ComputeView


def list_flavors(request: ResourceRequest) -> list[dict[str, Any]]:
    """Every size with all that clients read of one."""
    flavors = []
    for vcpus, memory_mib in selectors.sizes_of(request.auth):
        name = flavor_name(vcpus, memory_mib)
        flavors.append(
            {
                "id": name,
                "name": name,
                "vcpus": vcpus,
                "ram": memory_mib,
                "disk": 0,
                "swap": "",
                "rxtx_factor": 1.0,
                "OS-FLV-EXT-DATA:ephemeral": 0,
                "OS-FLV-DISABLED:disabled": False,
                "os-flavor-access:is_public": True,
                "links": [flavor_link(request, name, rel) for rel in ("self", "bookmark")],
            }
        )
    return flavors


class FlavorsView(ComputeView):
    """The sizes of the servers, by id and name."""

    name = "Flavors"
    policies = {"GET": "server:list"}

    def get(self, request: ResourceRequest) -> Response:
        brief = ("id", "name", "links")
        flavors = [{name: flavor[name] for name in brief} for flavor in list_flavors(request)]
        return Response({"flavors": flavors})


class FlavorsDetailView(ComputeView):
    """The sizes of the servers."""

    name = "Flavors in detail"
    policies = {"GET": "server:list"}

    def get(self, request: ResourceRequest) -> Response:
        return Response({"flavors": list_flavors(request)})


class FlavorView(ComputeView):
    """One size."""

    name = "Flavor"
    policies = {"GET": "server:get"}

    def get(self, request: ResourceRequest, flavor_id: str) -> Response:
        return Response({"flavor": find_flavor(request, flavor_id)})


class FlavorExtraSpecsView(ComputeView):
    """What else a size says: nothing."""

    name = "Extra specs of a flavor"
    policies = {"GET": "server:get"}

    def get(self, request: ResourceRequest, flavor_id: str) -> Response:
        find_flavor(request, flavor_id)
        return Response({"extra_specs": {}})


def find_flavor(request: ResourceRequest, flavor_id: str) -> dict[str, Any]:
    for flavor in list_flavors(request):
        if flavor["id"] == flavor_id:
            return flavor
    raise NotFound("Flavor", flavor_id)
