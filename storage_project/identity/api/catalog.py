"""What the catalog consists of, one by one: read-only, as it follows from the configuration."""

from typing import Any

from rest_framework.response import Response

from storage_project.api.faults import NotFound
from storage_project.api.links import base_url
from storage_project.api.requests import ResourceRequest
from storage_project.identity.api.representations import DOMAIN, self_link, wrap_list
from storage_project.identity.api.views import IdentityView
from storage_project.identity.catalog import INTERFACES, REGION, build_catalog, services

# Where a service's URL ends in the id of the caller's project.
PROJECT_TEMPLATE = "$(project_id)s"


class CatalogView(IdentityView):
    """The caller's own catalog, as in its token."""

    policies = {"GET": "identity:show_catalog"}

    def get(self, request: ResourceRequest) -> Response:
        catalog = build_catalog(request, project_id=request.auth.project_id)
        return Response(wrap_list("catalog", catalog, request))


class EntriesView(IdentityView):
    """A short list that a client may filter by any property, and each of its entries by id."""

    envelope: str
    plural: str

    def list_entries(self, request: ResourceRequest) -> list[dict[str, Any]]:
        raise NotImplementedError

    def get(self, request: ResourceRequest, entry_id: str | None = None) -> Response:
        entries = self.list_entries(request)
        for entry in entries:
            entry["links"] = self_link(request, self.plural, entry["id"])
        if entry_id is None:
            return Response(wrap_list(self.plural, keep_matching(entries, request), request))
        for entry in entries:
            if entry["id"] == entry_id:
                return Response({self.envelope: entry})
        raise NotFound(self.envelope.capitalize(), entry_id)


def keep_matching(entries: list[dict[str, Any]], request: ResourceRequest) -> list[dict[str, Any]]:
    """The entries whose properties equal the query parameters of the same name."""
    wanted = request.query_params.dict()
    return [
        entry
        for entry in entries
        if all(str(entry[name]) == value for name, value in wanted.items() if name in entry)
    ]


class DomainsView(EntriesView):
    policies = {"GET": "identity:list_domains"}
    envelope, plural = "domain", "domains"

    def list_entries(self, request: ResourceRequest) -> list[dict[str, Any]]:
        return [DOMAIN | {"description": "Everything is here.", "enabled": True, "options": {}}]


class RegionsView(EntriesView):
    policies = {"GET": "identity:list_services"}
    envelope, plural = "region", "regions"

    def list_entries(self, request: ResourceRequest) -> list[dict[str, Any]]:
        return [{"id": REGION, "description": "", "parent_region_id": None}]


class ServicesView(EntriesView):
    policies = {"GET": "identity:list_services"}
    envelope, plural = "service", "services"

    def list_entries(self, request: ResourceRequest) -> list[dict[str, Any]]:
        return [
            {
                "id": service.id,
                "type": service.type,
                "name": service.name,
                "description": service.description,
                "enabled": True,
            }
            for service in services()
        ]


class EndpointsView(EntriesView):
    policies = {"GET": "identity:list_services"}
    envelope, plural = "endpoint", "endpoints"

    def list_entries(self, request: ResourceRequest) -> list[dict[str, Any]]:
        return [
            {
                "id": service.endpoint_id(interface),
                "service_id": service.id,
                "interface": interface,
                "region": REGION,
                "region_id": REGION,
                "url": service.url(base_url(request), PROJECT_TEMPLATE),
                "enabled": True,
            }
            for service in services()
            for interface in INTERFACES
        ]
