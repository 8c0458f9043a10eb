"""`/volumes`: making, listing, showing, changing and deleting them."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from storage_project.api.filters import wants_all_projects
from storage_project.api.gates import since
from storage_project.api.paging import paginate
from storage_project.api.parameters import read_flag
from storage_project.api.representation import Representation
from storage_project.api.requests import ResourceRequest
from storage_project.api.versions import Microversion
from storage_project.api.views import ResourceView
from storage_project.identity.policy import require
from volumes import selectors
from volumes.api.volume_bodies import CreateVolume, UpdateVolume
from volumes.api.volume_filter import SORTABLE, VolumeFilter
from volumes.api.volume_representations import VolumeNameRepresentation, VolumeRepresentation
from volumes.models import Volume
from volumes.services import volumes as services
from volumes.sources import makers


def asked_for(request: ResourceRequest) -> "QuerySet[Volume]":
    """The volumes that the caller may see and the query asks for."""
    volumes = selectors.volumes_of(request.auth, all_projects=wants_all_projects(request))
    return VolumeFilter.apply(volumes, request)


class VolumesView(ResourceView):
    """The volumes of the project, newest first, by id and name; and where new ones are made."""

    name = "Volumes"
    policies = {"GET": "volume:list", "POST": "volume:create"}
    bodies = {"POST": CreateVolume}
    answers = {"GET": [VolumeNameRepresentation], "POST": VolumeRepresentation}

    def get(self, request: ResourceRequest) -> Response:
        return self.answer(paginate(asked_for(request), request, sortable=SORTABLE))

    def post(self, request: ResourceRequest) -> Response:
        values = self.read(request)
        if backup_id := values.pop("backup_id"):
            return self.answer(self.make_from_backup(request, backup_id, values), status=202)
        source = selectors.get_source(request.auth, **values.pop("source"))
        # What is not said of a copy is as it is there.
        values["size_gib"] = values["size_gib"] or (source and source.size_gib)
        named_type = values.pop("volume_type")
        values["volume_type"] = (
            source.volume_type
            if source and not named_type
            else selectors.find_type(request.auth, named_type)
        )
        values["source"] = source
        return self.answer(services.create_volume(caller=request.auth, **values), status=202)

    def make_from_backup(
        self, request: ResourceRequest, backup_id: UUID, values: dict[str, Any]
    ) -> Volume:
        """What is not said of the volume is as it was when it was backed up."""
        del values["source"]
        named_type = values["volume_type"]
        values["volume_type"] = named_type and selectors.find_type(request.auth, named_type)
        return makers["backup_id"](caller=request.auth, source_id=backup_id, **values)


class VolumesDetailView(ResourceView):
    """The volumes of the project with all that there is to know of them."""

    name = "Volumes in detail"
    policies = {"GET": "volume:list"}
    answers = {"GET": [VolumeRepresentation]}

    def get(self, request: ResourceRequest) -> Response:
        return self.answer(paginate(asked_for(request), request, sortable=SORTABLE))


class SummaryRepresentation(Representation):
    envelope = "volume-summary"

    total_count = serializers.IntegerField(source="count")
    total_size = serializers.IntegerField(source="size_gib")
    metadata = since("3.36", serializers.SerializerMethodField())

    @extend_schema_field(serializers.DictField(child=serializers.ListField()))
    def get_metadata(self, summary: selectors.Summary) -> dict[str, list[str]]:
        return selectors.metadata_in_use(summary.volumes)


class VolumesSummaryView(ResourceView):
    """How many volumes, how many GiB, and what is in their metadata."""

    name = "Summary of volumes"
    policies = {"GET": "volume:list"}
    gates = {"GET": Microversion(3, 12)}
    answers = {"GET": SummaryRepresentation}

    def get(self, request: ResourceRequest) -> Response:
        return self.answer(selectors.summarize(asked_for(request)))


class VolumeView(ResourceView):
    """One volume."""

    name = "Volume"
    policies = {"GET": "volume:get", "PUT": "volume:update", "DELETE": "volume:delete"}
    bodies = {"PUT": UpdateVolume}
    answers = {"GET": VolumeRepresentation, "PUT": VolumeRepresentation}

    def get(self, request: ResourceRequest, volume_id: str) -> Response:
        return self.answer(selectors.get_volume(request.auth, volume_id))

    def put(self, request: ResourceRequest, volume_id: str) -> Response:
        values = self.read(request)
        volume = selectors.get_volume(request.auth, volume_id)
        return self.answer(services.update_volume(volume=volume, **values))

    def delete(self, request: ResourceRequest, volume_id: str) -> Response:
        """With `?cascade=true` together with its snapshots; with `?force=true` in whatever state it
        is, for those who may."""
        delete = services.delete_volume
        if read_flag(request, "force", since=Microversion(3, 23)):
            require(request.auth, "volume:force_delete")
            delete = services.force_delete_volume
        delete(
            volume=selectors.get_volume(request.auth, volume_id),
            caller=request.auth,
            cascade=read_flag(request, "cascade"),
        )
        return Response(status=202)
