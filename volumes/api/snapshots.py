"""`/snapshots`: taking, listing, showing, changing and deleting them."""

from django.db.models import QuerySet
from rest_framework.response import Response

from storage_project.api.filters import wants_all_projects
from storage_project.api.paging import paginate
from storage_project.api.requests import ResourceRequest
from storage_project.api.views import ResourceView
from volumes import selectors
from volumes.api.snapshot_bodies import CreateSnapshot, UpdateSnapshot
from volumes.api.snapshot_filter import SORTABLE, SnapshotFilter
from volumes.api.snapshot_representations import SnapshotBriefRepresentation, SnapshotRepresentation
from volumes.models import Snapshot
from volumes.services import snapshots as services


def asked_for(request: ResourceRequest) -> "QuerySet[Snapshot]":
    """The snapshots that the caller may see and the query asks for."""
    snapshots = selectors.snapshots_of(request.auth, all_projects=wants_all_projects(request))
    return SnapshotFilter.apply(snapshots, request)


class SnapshotsView(ResourceView):
    """The snapshots of the project, newest first; and where new ones are taken."""

    name = "Snapshots"
    policies = {"GET": "snapshot:list", "POST": "snapshot:create"}
    bodies = {"POST": CreateSnapshot}
    answers = {"GET": [SnapshotBriefRepresentation], "POST": SnapshotRepresentation}

    def get(self, request: ResourceRequest) -> Response:
        return self.answer(paginate(asked_for(request), request, sortable=SORTABLE))

    def post(self, request: ResourceRequest) -> Response:
        values = self.read(request)
        volume = selectors.get_volume(request.auth, values.pop("volume_id"))
        snapshot = services.create_snapshot(volume=volume, caller=request.auth, **values)
        return self.answer(snapshot, status=202)


class SnapshotsDetailView(ResourceView):
    """The snapshots of the project with all that there is to know of them."""

    name = "Snapshots in detail"
    policies = {"GET": "snapshot:list"}
    answers = {"GET": [SnapshotRepresentation]}

    def get(self, request: ResourceRequest) -> Response:
        return self.answer(paginate(asked_for(request), request, sortable=SORTABLE))


class SnapshotView(ResourceView):
    """One snapshot."""

    name = "Snapshot"
    policies = {"GET": "snapshot:get", "PUT": "snapshot:update", "DELETE": "snapshot:delete"}
    bodies = {"PUT": UpdateSnapshot}
    answers = {"GET": SnapshotRepresentation, "PUT": SnapshotRepresentation}

    def get(self, request: ResourceRequest, snapshot_id: str) -> Response:
        return self.answer(selectors.get_snapshot(request.auth, snapshot_id))

    def put(self, request: ResourceRequest, snapshot_id: str) -> Response:
        values = self.read(request)
        snapshot = selectors.get_snapshot(request.auth, snapshot_id)
        return self.answer(services.update_snapshot(snapshot=snapshot, **values))

    def delete(self, request: ResourceRequest, snapshot_id: str) -> Response:
        snapshot = selectors.get_snapshot(request.auth, snapshot_id)
        services.delete_snapshot(snapshot=snapshot, caller=request.auth)
        return Response(status=202)
