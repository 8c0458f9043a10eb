"""Request bodies: declared, strict, and refused with a sentence that names the field.

class CreateVolume(Body):
    envelope = "volume"
    aliases = {"display_name": "name"}
    example = {"size": 1, "name": "data"}

    size = IntegerLike(min_value=1)
    name = NameField(required=False, allow_null=True)
    backup_id = since("3.47", IdField(required=False, allow_null=True))
    scheduler_hints = beside(named("OS-SCH-HNT:scheduler_hints", HintsField(required=False)))

values = CreateVolume.read(request)
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, ClassVar, TypeVar

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from storage_project.api.gates import gate_of, rename_fields
from storage_project.api.requests import ResourceRequest

AnyField = TypeVar("AnyField", bound=serializers.Field[Any, Any, Any, Any])


def beside(field: AnyField) -> AnyField:
    """The field stands beside the envelope, not in it: `{"volume": {…}, "<field>": …}`."""
    field.beside_envelope = True  # type: ignore[attr-defined]
    return field


class Body(serializers.Serializer[Any]):
    """One JSON object that a client sends. Read it with `read`; unknown fields are an error."""

    # The key around the object; None when the object is the whole body.
    envelope: ClassVar[str | None] = None
    # Older names that clients still send, and the names of the fields they mean.
    aliases: ClassVar[Mapping[str, str]] = {}
    # What clients send although it means nothing here.
    ignored: ClassVar[frozenset[str]] = frozenset()
    # What the forms of the browsable API begin with, without the envelope.
    example: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        rename_fields(cls._declared_fields)

    @classmethod
    def read(cls, request: ResourceRequest) -> dict[str, Any]:
        """The validated values of the request's body, by the fields' Python names; else 400."""
        return cls.read_value(cls.unwrap(request.data), request, path=cls.envelope)

    @classmethod
    def read_value(
        cls, value: Any, request: ResourceRequest, *, path: str | None
    ) -> dict[str, Any]:
        """The same for an object found at `path` of the body, as the argument of an action."""
        is_admin = getattr(request.auth, "is_admin", False)
        context = {"microversion": request.microversion, "is_admin": is_admin}
        body = cls(data=value, context=context)
        try:
            return dict(body.run_validation(value))
        except ValidationError as error:
            raise ValidationError({path: error.detail} if path else error.detail) from None

    @classmethod
    def unwrap(cls, document: dict[str, Any]) -> Any:
        """Take the object out of its envelope, together with the fields beside it."""
        if cls.envelope is None:
            return document
        companions = {
            name
            for name, field in cls._declared_fields.items()
            if getattr(field, "beside_envelope", False)
        }
        for name in document:
            if name != cls.envelope and name not in companions:
                raise ValidationError({name: "Unknown field."})
        if cls.envelope not in document:
            raise ValidationError({cls.envelope: "This field is required."})
        value = document[cls.envelope]
        if not isinstance(value, dict):
            return value
        return value | {name: document[name] for name in companions if name in document}

    @classmethod
    def example_document(cls) -> dict[str, Any]:
        """The example as a client would send it."""
        return {cls.envelope: dict(cls.example)} if cls.envelope else dict(cls.example)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """The fields that the microversion and the caller have; all, when neither is known."""
        version = self.context.get("microversion")
        fields = super().get_fields()
        for name, field in fields.items():
            # Lost when a declared field is copied for use; see `rename_fields`.
            field.source = self._declared_fields[name].source
        if version is None:
            return fields
        is_admin = self.context["is_admin"]
        return {
            name: field
            for name, field in fields.items()
            if gate_of(self._declared_fields[name]).admits(version, is_admin=is_admin)
        }

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            data = self.without_aliases(data)
            data = {name: value for name, value in data.items() if not self.says_no(name, value)}
            self.refuse_unknown(data)
        return super().to_internal_value(data)

    def without_aliases(self, data: dict[str, Any]) -> dict[str, Any]:
        """Call everything by its present name; what is given under both counts by that one."""
        renamed = {self.aliases[name]: data[name] for name in data if name in self.aliases}
        return renamed | {
            name: value
            for name, value in data.items()
            if name not in self.aliases and name not in self.ignored
        }

    def says_no(self, name: str, value: Any) -> bool:
        """Whether a client does without what it could not have: cinderclient sends null for every
        field that it knows, at whatever microversion it speaks.
        """
        return value is None and name in self._declared_fields and name not in self.fields

    def refuse_unknown(self, data: Mapping[str, Any]) -> None:
        errors = {name: self.explain_unknown(name) for name in data if name not in self.fields}
        if errors:
            raise ValidationError(errors)

    def explain_unknown(self, name: str) -> str:
        if name in self._declared_fields:
            return f"This field is for {gate_of(self._declared_fields[name])}."
        similar = get_close_matches(name, self.fields, n=1)
        return f"Unknown field; did you mean {similar[0]!r}?" if similar else "Unknown field."
