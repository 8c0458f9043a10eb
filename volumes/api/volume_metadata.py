"""`/volumes/{id}/metadata`: key-value pairs that users keep with a volume."""

import hashlib
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
from volumes.models import Volume
from volumes.services import volumes as services

ETAGS_SINCE = Microversion(3, 15)


def etag_of(metadata: Mapping[str, str]) -> str:
    """What tells one state of the metadata from another."""
    document = orjson.dumps(metadata, option=orjson.OPT_SORT_KEYS)
    return f'"{hashlib.sha256(document).hexdigest()}"'


def check_etag(request: ResourceRequest, volume: Volume) -> dict[str, str] | None:
    """The metadata that the client says it has seen, if it says so and that is what there is."""
    wanted = request.META.get("HTTP_IF_MATCH")
    if wanted is None or request.microversion < ETAGS_SINCE:
        return None
    seen: dict[str, str] = volume.metadata
    if wanted.strip('"') != etag_of(seen).strip('"'):
        raise PreconditionFailed(f"The metadata of volume {volume.pk} has changed meanwhile.")
    return seen


class WriteMetadata(Body):
    example = {"metadata": {"purpose": "database"}}

    metadata = MetadataField()


class WriteItem(Body):
    """The pair that the address names, and no other."""

    example = {"meta": {"purpose": "database"}}

    meta = MetadataField()


class MetadataView(ResourceView):
    """All pairs. POST adds to them, PUT replaces them."""

    name = "Metadata"
    policies = {"GET": "volume:get_metadata", "POST": "volume:metadata", "PUT": "volume:metadata"}
    bodies = {"POST": WriteMetadata, "PUT": WriteMetadata}

    def get(self, request: ResourceRequest, volume_id: str) -> Response:
        return self.answer_with_etag(selectors.get_volume(request.auth, volume_id).metadata)

    def post(self, request: ResourceRequest, volume_id: str) -> Response:
        return self.write(request, volume_id, replace=False)

    def put(self, request: ResourceRequest, volume_id: str) -> Response:
        return self.write(request, volume_id, replace=True)

    def write(self, request: ResourceRequest, volume_id: str, *, replace: bool) -> Response:
        metadata = self.read(request)["metadata"]
        volume = selectors.get_volume(request.auth, volume_id)
        return self.answer_with_etag(
            services.set_metadata(
                volume=volume,
                metadata=metadata,
                replace=replace,
                seen=check_etag(request, volume),
            )
        )

    def answer_with_etag(self, metadata: dict[str, str]) -> Response:
        has_etags = self.request.microversion >= ETAGS_SINCE
        headers = {"ETag": etag_of(metadata)} if has_etags else {}
        return Response({"metadata": metadata}, headers=headers)


class MetadataItemView(ResourceView):
    """One pair."""

    name = "Metadata item"
    policies = {
        "GET": "volume:get_metadata",
        "PUT": "volume:metadata",
        "DELETE": "volume:metadata",
    }
    bodies = {"PUT": WriteItem}

    def get(self, request: ResourceRequest, volume_id: str, key: str) -> Response:
        metadata = selectors.get_volume(request.auth, volume_id).metadata
        if key not in metadata:
            raise NotFound("Metadata item", key)
        return Response({"meta": {key: metadata[key]}})

    def put(self, request: ResourceRequest, volume_id: str, key: str) -> Response:
        volume = selectors.get_volume(request.auth, volume_id)
        item = self.read(request)["meta"]
        if item.keys() != {key}:
            raise BadRequest("meta: must hold the key in the address, and no other.")
        services.set_metadata(volume=volume, metadata=item, replace=False)
        return Response({"meta": item})

    def delete(self, request: ResourceRequest, volume_id: str, key: str) -> Response:
        volume = selectors.get_volume(request.auth, volume_id)
        services.delete_metadata(volume=volume, key=key)
        return Response(status=200)
