"""`/volumes/{id}/metadata`, `/snapshots/{id}/metadata`: key-value pairs that users keep there."""

import hashlib
from abc import abstractmethod
from collections.abc import Mapping

import orjson
from rest_framework.response import Response

from storage_project.api.bodies import Body
from storage_project.api.faults import BadRequest, NotFound, PreconditionFailed
from storage_project.api.input_fields import MetadataField
from storage_project.api.requests import ResourceRequest
from storage_project.api.versions import Microversion
from storage_project.api.views import ResourceView
from volumes import selectors
from volumes.models import Snapshot, Volume
from volumes.services import metadata as services

ETAGS_SINCE = Microversion(3, 15)


def etag_of(metadata: Mapping[str, str]) -> str:
    """What tells one state of the metadata from another."""
    document = orjson.dumps(metadata, option=orjson.OPT_SORT_KEYS)
    return f'"{hashlib.sha256(document).hexdigest()}"'


def check_etag(request: ResourceRequest, row: Volume | Snapshot) -> dict[str, str] | None:
    """The metadata that the client says it has seen, if it says so and that is what there is."""
    wanted = request.META.get("HTTP_IF_MATCH")
    if wanted is None or request.microversion < ETAGS_SINCE:
        return None
    seen: dict[str, str] = row.metadata
    if wanted.strip('"') != etag_of(seen).strip('"'):
        raise PreconditionFailed(
            f"The metadata of {row.flow.resource} {row.pk} has changed meanwhile."
        )
    return seen


class WriteMetadata(Body):
    example = {"metadata": {"purpose": "database"}}

    metadata = MetadataField()


class WriteItem(Body):
    """The pair that the address names, and no other."""

    example = {"meta": {"purpose": "database"}}

    meta = MetadataField()


class MetadataOwnerView(ResourceView):
    """What is about the metadata of one row."""

    @abstractmethod
    def get_owner(self, request: ResourceRequest, **owner: str) -> Volume | Snapshot:
        """The row that the address names, as the caller sees it; 404 otherwise."""


class MetadataView(MetadataOwnerView):
    """All pairs. POST adds to them, PUT replaces them."""

    name = "Metadata"
    bodies = {"POST": WriteMetadata, "PUT": WriteMetadata}

    def get(self, request: ResourceRequest, **owner: str) -> Response:
        return self.answer_with_etag(self.get_owner(request, **owner).metadata)

    def post(self, request: ResourceRequest, **owner: str) -> Response:
        return self.write(request, owner, replace=False)

    def put(self, request: ResourceRequest, **owner: str) -> Response:
        return self.write(request, owner, replace=True)

    def write(self, request: ResourceRequest, owner: dict[str, str], *, replace: bool) -> Response:
        metadata = self.read(request)["metadata"]
        row = self.get_owner(request, **owner)
        return self.answer_with_etag(
            services.set_metadata(
                row=row, metadata=metadata, replace=replace, seen=check_etag(request, row)
            )
        )

    def answer_with_etag(self, metadata: dict[str, str]) -> Response:
        has_etags = self.request.microversion >= ETAGS_SINCE
        headers = {"ETag": etag_of(metadata)} if has_etags else {}
        return Response({"metadata": metadata}, headers=headers)


class MetadataItemView(MetadataOwnerView):
    """One pair."""

    name = "Metadata item"
    bodies = {"PUT": WriteItem}

    def get(self, request: ResourceRequest, key: str, **owner: str) -> Response:
        metadata = self.get_owner(request, **owner).metadata
        if key not in metadata:
            raise NotFound("Metadata item", key)
        return Response({"meta": {key: metadata[key]}})

    def put(self, request: ResourceRequest, key: str, **owner: str) -> Response:
        row = self.get_owner(request, **owner)
        item = self.read(request)["meta"]
        if item.keys() != {key}:
            raise BadRequest("meta: must hold the key in the address, and no other.")
        services.set_metadata(row=row, metadata=item, replace=False)
        return Response({"meta": item})

    def delete(self, request: ResourceRequest, key: str, **owner: str) -> Response:
        services.delete_metadata(row=self.get_owner(request, **owner), key=key)
        return Response(status=200)


class OfVolume(MetadataOwnerView):
    policies = {
        "GET": "volume:get_metadata",
        "POST": "volume:metadata",
        "PUT": "volume:metadata",
        "DELETE": "volume:metadata",
    }

    def get_owner(self, request: ResourceRequest, **owner: str) -> Volume:
        return selectors.get_volume(request.auth, owner["volume_id"])


class OfSnapshot(MetadataOwnerView):
    policies = {
        "GET": "snapshot:get_metadata",
        "POST": "snapshot:metadata",
        "PUT": "snapshot:metadata",
        "DELETE": "snapshot:metadata",
    }

    def get_owner(self, request: ResourceRequest, **owner: str) -> Snapshot:
        return selectors.get_snapshot(request.auth, owner["snapshot_id"])


class VolumeMetadataView(OfVolume, MetadataView):
    """All pairs of a volume. POST adds to them, PUT replaces them."""


class VolumeMetadataItemView(OfVolume, MetadataItemView):
    """One pair of a volume."""


class SnapshotMetadataView(OfSnapshot, MetadataView):
    """All pairs of a snapshot. POST adds to them, PUT replaces them."""


class SnapshotMetadataItemView(OfSnapshot, MetadataItemView):
    """One pair of a snapshot."""
