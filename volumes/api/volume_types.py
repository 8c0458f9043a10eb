"""`/types`: the kinds of volumes that an administrator offers."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from storage_project.api.bodies import Body
from storage_project.api.faults import BadRequest
from storage_project.api.filters import ListFilter, MappingFilter, TextFilter
from storage_project.api.gates import admin_only, named, since
from storage_project.api.input_fields import (
    BooleanLike,
    MetadataField,
    NameField,
    Text,
    read_boolean,
)
from storage_project.api.paging import Page, paginate
from storage_project.api.representation import Representation
from storage_project.api.requests import ResourceRequest
from storage_project.api.views import ResourceView
from volumes import selectors
from volumes.api.extra_specs import visible_extra_specs
from volumes.models import VolumeType
from volumes.services import types as services

SORTABLE = {"name": "name", "description": "description", "is_public": "is_public"}


class TypeFilter(ListFilter):
    name = since("3.52", TextFilter())
    description = since("3.52", TextFilter())
    extra_specs = since("3.52", admin_only(MappingFilter()))


class Description(Text):
    def __init__(self) -> None:
        super().__init__(max_length=255, required=False, allow_null=True, allow_blank=True)


class CreateType(Body):
    envelope = "volume_type"
    example = {"name": "fast", "extra_specs": {"volume_backend_name": "fast"}}

    name = NameField(allow_blank=False)
    description = Description()
    is_public = named("os-volume-type-access:is_public", BooleanLike(required=False))
    extra_specs = MetadataField(required=False)


class UpdateType(Body):
    envelope = "volume_type"
    aliases = {"os-volume-type-access:is_public": "is_public"}
    example = {"description": "On solid state disks"}

    name = NameField(allow_blank=False, required=False, allow_null=True)
    description = Description()
    is_public = BooleanLike(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Clients send null for what stays."""
        changes = {name: value for name, value in attrs.items() if value is not None}
        if not changes:
            raise serializers.ValidationError("Give name, description or is_public.")
        return changes


class TypeRepresentation(Representation):
    """A class of service that volumes can have."""

    envelope, plural = "volume_type", "volume_types"

    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    is_public = serializers.BooleanField()
    access = named("os-volume-type-access:is_public", serializers.BooleanField(source="is_public"))
    extra_specs = serializers.SerializerMethodField()
    qos_specs_id = admin_only(serializers.SerializerMethodField())

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_extra_specs(self, volume_type: VolumeType) -> dict[str, str]:
        return visible_extra_specs(volume_type, self.request.auth)

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_qos_specs_id(self, volume_type: VolumeType) -> None:
        return None

    @classmethod
    def show_list(
        cls, rows: Iterable[VolumeType] | Page[VolumeType], request: ResourceRequest
    ) -> dict[str, Any]:
        """The one list whose links bear the name of a single row."""
        shown = super().show_list(rows, request)
        if links := shown.pop("volume_types_links", None):
            shown["volume_type_links"] = links
        return shown


def asked_is_public(request: ResourceRequest) -> bool | None:
    """Which types an administrator asks for: public ones unless told, "None" for both kinds."""
    text = request.query_params.get("is_public") or "True"
    if text.lower() == "none":
        return None
    try:
        return read_boolean(text)
    except ValueError:
        raise BadRequest("is_public must be a boolean or None.") from None


class TypesView(ResourceView):
    """The types that the caller may choose from."""

    name = "Volume types"
    policies = {"GET": "type:list", "POST": "type:create"}
    bodies = {"POST": CreateType}
    answers = {"GET": [TypeRepresentation], "POST": TypeRepresentation}

    def get(self, request: ResourceRequest) -> Response:
        types = selectors.types_for(request.auth, is_public=asked_is_public(request))
        types = TypeFilter.apply(types, request)
        return self.answer(paginate(types, request, sortable=SORTABLE))

    def post(self, request: ResourceRequest) -> Response:
        return self.answer(services.create_type(**self.read(request)))


class DefaultTypeView(ResourceView):
    """The type of a volume whose maker names none."""

    name = "Default volume type"
    policies = {"GET": "type:get"}
    answers = {"GET": TypeRepresentation}

    def get(self, request: ResourceRequest) -> Response:
        return self.answer(selectors.default_type())


class TypeView(ResourceView):
    """One type."""

    name = "Volume type"
    policies = {"GET": "type:get", "PUT": "type:update", "DELETE": "type:delete"}
    bodies = {"PUT": UpdateType}
    answers = {"GET": TypeRepresentation, "PUT": TypeRepresentation}

    def get(self, request: ResourceRequest, type_id: str) -> Response:
        return self.answer(selectors.get_type(request.auth, type_id))

    def put(self, request: ResourceRequest, type_id: str) -> Response:
        changes = self.read(request)
        volume_type = selectors.get_type(request.auth, type_id)
        return self.answer(services.update_type(volume_type=volume_type, **changes))

    def delete(self, request: ResourceRequest, type_id: str) -> Response:
        services.delete_type(volume_type=selectors.get_type(request.auth, type_id))
        return Response(status=202)
