"""What clients send to make a volume and to change one."""

from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.fields import empty

from storage_project.api.bodies import Body, beside
from storage_project.api.gates import named, since
from storage_project.api.input_fields import (
    BooleanLike,
    IdField,
    IntegerLike,
    MetadataField,
    NameField,
    Text,
)

# The scheduler's hints, each the id of one volume or a list of them.
PLACEMENT_HINTS = ("same_host", "different_host")
# What a volume may begin with, one of them.
SOURCES = ("snapshot_id", "source_volid", "backup_id")


class OptionalText(Text):
    """A text where clients also send null or "" for none; read as None."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, allow_blank=True, **kwargs)

    def run_validation(self, data: Any = empty) -> str | None:
        return super().run_validation(data) or None


class OptionalId(IdField):
    """An id where clients also send null or "" for none; read as None."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, **kwargs)

    def run_validation(self, data: Any = empty) -> UUID | None:
        found: UUID | None = super().run_validation(None if data == "" else data)
        return found


class Unsupported(serializers.Field[Any, Any, Any, Any]):
    """Something that clients name with null or "" when they do not want it. Nobody gets it."""

    default_error_messages = {"unsupported": "{what} is not supported."}

    def __init__(self, what: str, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, **kwargs)
        self.what = what

    def to_internal_value(self, data: object) -> None:
        if data not in ("", False):
            self.fail("unsupported", what=self.what)


class HintsField(serializers.DictField):
    """Hints for the scheduler. Those that it knows must name volumes; others mean nothing here."""

    volumes = serializers.ListField(child=IdField(), allow_empty=False, max_length=100)

    def to_internal_value(self, data: Any) -> dict[str, list[str]]:
        hints = super().to_internal_value(data)
        return {
            name: self.read_volumes(name, hints[name])
            for name in PLACEMENT_HINTS
            if hints.get(name)
        }

    def read_volumes(self, name: str, value: object) -> list[str]:
        try:
            volumes: list[UUID] = self.volumes.run_validation(
                value if isinstance(value, list) else [value]
            )
        except serializers.ValidationError as error:
            raise serializers.ValidationError({name: error.detail}) from None
        return [str(volume_id) for volume_id in volumes]


class CreateVolume(Body):
    envelope = "volume"
    aliases = {"display_name": "name", "display_description": "description", "image_id": "imageRef"}
    # Clients name these for every volume; who makes it is known, and how it begins.
    ignored = frozenset({"user_id", "project_id", "status", "attach_status", "source_replica"})
    example = {"size": 1, "name": "data", "metadata": {"purpose": "database"}}

    size = IntegerLike(min_value=1, required=False, allow_null=True)
    name = NameField(required=False, allow_null=True)
    description = Text(required=False, allow_null=True, allow_blank=True, trim_whitespace=True)
    volume_type = OptionalText()
    availability_zone = OptionalText()
    metadata = MetadataField(required=False, allow_null=True)
    snapshot_id = OptionalId()
    source_volid = OptionalId()
    image_ref = named("imageRef", Unsupported("A volume from an image"))
    backup_id = since("3.47", OptionalId())
    consistencygroup_id = Unsupported("A volume in a consistency group")
    group_id = since("3.13", Unsupported("A volume in a group"))
    multiattach = BooleanLike(required=False, allow_null=True)
    scheduler_hints = beside(
        named("OS-SCH-HNT:scheduler_hints", HintsField(required=False, allow_null=True))
    )

    def validate_multiattach(self, value: bool | None) -> None:
        if value:
            raise serializers.ValidationError(
                "Use a volume type with the extra spec multiattach='<is> True' instead."
            )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """What a volume is made from; of a source only its id is known yet."""
        sources = [name for name in SOURCES if attrs.get(name)]
        if len(sources) > 1:
            raise serializers.ValidationError(f"Give {' or '.join(sources)}, not both.")
        if attrs.get("size") is None and not sources:
            raise serializers.ValidationError({"size": "This field is required."})
        return {
            "source": {
                "snapshot_id": attrs.get("snapshot_id"),
                "volume_id": attrs.get("source_volid"),
            },
            "backup_id": attrs.get("backup_id"),
            "size_gib": attrs.get("size"),
            "volume_type": attrs.get("volume_type"),
            "name": attrs.get("name"),
            "description": attrs.get("description"),
            "availability_zone": attrs.get("availability_zone"),
            "metadata": attrs.get("metadata"),
            "hints": attrs.get("scheduler_hints"),
        }


class UpdateVolume(Body):
    envelope = "volume"
    aliases = {"display_name": "name", "display_description": "description"}
    example = {"name": "data", "description": "Where the database lives"}

    name = NameField(required=False, allow_null=True)
    description = Text(required=False, allow_null=True, allow_blank=True, trim_whitespace=True)
    metadata = MetadataField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError("Give name, description or metadata.")
        return attrs
