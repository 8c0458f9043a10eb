"""The OpenAPI document: what the views declare as `bodies`, `answers` and `actions`."""

import re
from functools import cache
from inspect import cleandoc
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import fields, serializers

from storage_project.api.bodies import Body
from storage_project.api.representation import Representation
from storage_project.api.versions import HEADER, MAX, MIN

JSONSchema = dict[str, Any]

LINKS: JSONSchema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"rel": {"type": "string"}, "href": {"type": "string"}},
    },
}
FAULT: JSONSchema = {
    "type": "object",
    "description": "One key, which names the kind of error.",
    "additionalProperties": {
        "type": "object",
        "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
        "required": ["code", "message"],
    },
}
MICROVERSION = OpenApiParameter(
    HEADER,
    location=OpenApiParameter.HEADER,
    description=f"`volume 3.xx`, from {MIN} to {MAX}, or `volume latest`; {MIN} when absent.",
)
# Names of the security schemes in SPECTACULAR_SETTINGS.
SECURITY: tuple[dict[str, list[str]], ...] = ({"token": []}, {"basic": []})


class ResourceSchema(AutoSchema):
    """Describes a `ResourceView`; other views as REST framework's tools do."""

    def get_override_parameters(self) -> list[Any]:
        return [getattr(self.view, "microversion_parameter", MICROVERSION)]

    def get_description(self) -> str:  # type: ignore[override]
        handler = getattr(self.view, self.method.lower())
        return cleandoc(handler.__doc__ or type(self.view).__doc__ or "")

    def get_summary(self) -> str:
        """The first sentence of the description."""
        return self.get_description().partition("\n\n")[0].partition(". ")[0].replace("\n", " ")

    def get_auth(self) -> list[dict[str, Any]]:
        return list(SECURITY) if self.view.authentication_classes else []

    def get_request_serializer(self) -> Any:
        if actions := getattr(self.view, "actions", ()):
            bodies = [
                self.in_envelope(action.name, self.describe_body(action.body)) for action in actions
            ]
            return {"application/json": {"oneOf": bodies}}
        body = getattr(self.view, "bodies", {}).get(self.method)
        if body is None:
            return None
        schema = self.describe_body(body)
        return {
            "application/json": self.in_envelope(body.envelope, schema) if body.envelope else schema
        }

    def get_response_serializers(self) -> Any:
        shown = getattr(self.view, "answers", {}).get(self.method)
        success: Any = None
        if isinstance(shown, list):
            success = self.describe_list(shown[0])
        elif shown is not None:
            success = self.in_envelope(shown.envelope, self.describe_representation(shown))
        return {"2XX": success, "4XX": FAULT}

    def get_examples(self) -> list[OpenApiExample]:
        documents = {
            action.name: action.example_document() for action in getattr(self.view, "actions", ())
        }
        if body := getattr(self.view, "bodies", {}).get(self.method):
            documents["example"] = body.example_document()
        return [
            OpenApiExample(name, value=document, request_only=True)
            for name, document in documents.items()
        ]

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        return super().get_serializer_name(serializer, direction).removesuffix("Representation")

    def get_operation_id(self) -> str:
        """Method and address, which are unique: get_v3_volumes_volume_id."""
        return "_".join([self.method.lower(), *re.findall(r"[a-z0-9]+", self.path)])

    def _is_list_view(self, serializer: Any = None) -> bool:
        """Lists are described whole, in their envelopes."""
        return False

    def _map_serializer_field(
        self, field: Any, direction: Any, bypass_extensions: bool = False
    ) -> JSONSchema:
        """A type made from scratch may take and show anything, so nothing is said of it."""
        own = serializers.Field in type(field).__bases__ and field.__module__ != fields.__name__
        if own:
            return {}
        known: JSONSchema = super()._map_serializer_field(  # type: ignore[no-untyped-call]
            field, direction, bypass_extensions
        )
        return known

    def in_envelope(self, name: str, schema: JSONSchema) -> JSONSchema:
        return {"type": "object", "properties": {name: schema}, "required": [name]}

    def describe_body(self, body: type[Body] | None) -> JSONSchema:
        if body is None:
            return {"nullable": True}
        described = self.resolve_serializer(body, "request")
        # A body without fields of fixed names is an object, and that is all there is to say.
        return described.ref if described else {"type": "object"}

    def describe_representation(self, shown: type[Representation]) -> JSONSchema:
        return self.resolve_serializer(shown, "response").ref

    def describe_list(self, shown: type[Representation]) -> JSONSchema:
        rows = {"type": "array", "items": self.describe_representation(shown)}
        schema = self.in_envelope(shown.plural, rows)
        schema["properties"][f"{shown.plural}_links"] = LINKS
        return schema


def keep_unscoped(endpoints: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Describe each address once, without the optional project in it."""
    return [endpoint for endpoint in endpoints if "{url_project_id}" not in endpoint[0]]


def imitate_request(method: str, path: str, view: Any, request: Any) -> Any:
    """The request with which a view is asked to describe itself, set up as Django would."""
    view.setup(RequestFactory().generic(method, path))
    return view.initialize_request(view.request)


@cache
def describe_api() -> bytes:
    """The document; it is the same as long as the process lives."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    schema = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return OpenApiJsonRenderer().render(schema)


def show_schema(request: HttpRequest) -> HttpResponse:
    return HttpResponse(describe_api(), content_type="application/json")
