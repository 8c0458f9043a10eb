"""`/servers`: the virtual machines that the hypervisors of our hosts run. Made and ended there."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.response import Response

from storage_project.api.filters import (
    BooleanFilter,
    IdFilter,
    ListFilter,
    TextFilter,
    wants_all_projects,
)
from storage_project.api.gates import named
from storage_project.api.paging import paginate
from storage_project.api.requests import ResourceRequest
from volumes.compute import selectors
from volumes.compute.representations import ServerBriefRepresentation, ServerRepresentation
from volumes.compute.views import ComputeView
from volumes.models import Server

SORTABLE = {"display_name": "name", "name": "name", "status": "status", "host": "host"}


class DeletedFilter(BooleanFilter):
    """Servers that are gone; nothing is kept of them."""

    def filter(self, qs: "QuerySet[Server]", value: bool | None) -> "QuerySet[Server]":
        return qs.none() if value else qs


class ServerFilter(ListFilter):
    name = TextFilter("name", lookup_expr="icontains")
    status = TextFilter("status", lookup_expr="iexact")
    uuid = IdFilter("id")
    host = TextFilter()
    project_id = TextFilter()
    tenant_id = named("tenant_id", TextFilter("project_id"))
    deleted = DeletedFilter()


def asked_for(request: ResourceRequest) -> "QuerySet[Server]":
    """The servers that the caller may see and the query asks for."""
    servers = selectors.servers_of(request.auth, all_projects=wants_all_projects(request))
    return ServerFilter.apply(servers, request)


class ServersView(ComputeView):
    """The servers of the project, by id and name."""

    name = "Servers"
    policies = {"GET": "server:list"}
    answers = {"GET": [ServerBriefRepresentation]}

    def get(self, request: ResourceRequest) -> Response:
        return self.answer(paginate(asked_for(request), request, sortable=SORTABLE))


class ServersDetailView(ComputeView):
    """The servers of the project with all that there is to know of them."""

    name = "Servers in detail"
    policies = {"GET": "server:list"}
    answers = {"GET": [ServerRepresentation]}

    def get(self, request: ResourceRequest) -> Response:
        page = paginate(asked_for(request), request, sortable=SORTABLE)
        selectors.read_attached(page.rows)
        return self.answer(page)


class ServerView(ComputeView):
    """One server."""

    name = "Server"
    policies = {"GET": "server:get"}
    answers = {"GET": ServerRepresentation}

    def get(self, request: ResourceRequest, server_id: str) -> Response:
        server: Any = selectors.get_server(request.auth, server_id)
        selectors.read_attached([server])
        return self.answer(server)
