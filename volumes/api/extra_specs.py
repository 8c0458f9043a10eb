"""`/types/{id}/extra_specs`: what a type demands of the pool that takes its volumes."""

from typing import Any

from rest_framework.response import Response

from storage_project.api.bodies import Body
from storage_project.api.faults import BadRequest, NotFound
from storage_project.api.input_fields import MetadataField
from storage_project.api.requests import ResourceRequest
from storage_project.api.views import ResourceView
from storage_project.identity.caller import Caller
from storage_project.identity.policy import allows
from volumes import selectors
from volumes.models import VolumeType
from volumes.services import types as services

# What users need to know of a type; the rest tells about the installation.
USER_VISIBLE = frozenset({"multiattach", "replication_enabled", "RESKEY:availability_zones"})


def visible_extra_specs(volume_type: VolumeType, caller: Caller) -> dict[str, str]:
    """The extra specs of a type that the caller may see."""
    extra_specs: dict[str, str] = volume_type.extra_specs
    if allows(caller, "extra_specs:read_hidden"):
        return extra_specs
    return {key: value for key, value in extra_specs.items() if key in USER_VISIBLE}


class WriteExtraSpecs(Body):
    example = {"extra_specs": {"volume_backend_name": "fast"}}

    extra_specs = MetadataField()


class WriteExtraSpec(Body):
    """The extra spec that the address names, and no other: `{"<key>": "<value>"}`."""

    example = {"volume_backend_name": "fast"}

    def to_internal_value(self, data: Any) -> dict[str, str]:
        extra_spec: dict[str, str] = MetadataField().run_validation(data)
        return extra_spec


class ExtraSpecsView(ResourceView):
    """All extra specs of a type. POST adds to them."""

    name = "Extra specs"
    policies = {"GET": "extra_specs:list", "POST": "extra_specs:create"}
    bodies = {"POST": WriteExtraSpecs}

    def get(self, request: ResourceRequest, type_id: str) -> Response:
        volume_type = selectors.get_type(request.auth, type_id)
        return Response({"extra_specs": visible_extra_specs(volume_type, request.auth)})

    def post(self, request: ResourceRequest, type_id: str) -> Response:
        extra_specs = self.read(request)["extra_specs"]
        volume_type = selectors.get_type(request.auth, type_id)
        services.set_extra_specs(volume_type=volume_type, extra_specs=extra_specs)
        return Response({"extra_specs": extra_specs})


class ExtraSpecView(ResourceView):
    """One extra spec."""

    name = "Extra spec"
    policies = {
        "GET": "extra_specs:get",
        "PUT": "extra_specs:update",
        "DELETE": "extra_specs:delete",
    }
    bodies = {"PUT": WriteExtraSpec}

    def get(self, request: ResourceRequest, type_id: str, key: str) -> Response:
        volume_type = selectors.get_type(request.auth, type_id)
        extra_specs = visible_extra_specs(volume_type, request.auth)
        if key not in extra_specs:
            raise NotFound("Extra spec", key)
        return Response({key: extra_specs[key]})

    def put(self, request: ResourceRequest, type_id: str, key: str) -> Response:
        volume_type = selectors.get_type(request.auth, type_id)
        extra_spec = self.read(request)
        if extra_spec.keys() != {key}:
            raise BadRequest("The body must hold the key in the address, and no other.")
        services.set_extra_specs(volume_type=volume_type, extra_specs=extra_spec)
        return Response(extra_spec)

    def delete(self, request: ResourceRequest, type_id: str, key: str) -> Response:
        volume_type = selectors.get_type(request.auth, type_id)
        services.delete_extra_spec(volume_type=volume_type, key=key)
        return Response(status=202)
