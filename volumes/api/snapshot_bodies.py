"""What clients send to take a snapshot and to change one."""

from typing import Any

from rest_framework import serializers
from rest_framework.fields import empty

from storage_project.api.bodies import Body
from storage_project.api.input_fields import BooleanLike, IdField, MetadataField, NameField, Text
from storage_project.api.versions import Microversion


class Force(BooleanLike):
    """Whether a volume in use may be snapshotted. Since 3.66 it always may; saying so does no harm
    then, and saying that it may not is refused."""

    implied_since = Microversion(3, 66)
    default_error_messages = {
        "implied": "Since microversion 3.66 a volume in use can always be snapshotted.",
    }

    def __init__(self) -> None:
        super().__init__(required=False, allow_null=True, default=None)

    def run_validation(self, data: Any = empty) -> bool:
        force: bool | None = super().run_validation(data)
        if self.context["microversion"] < self.implied_since:
            return bool(force)
        if force is False:
            self.fail("implied")
        return True


class Description(Text):
    def __init__(self) -> None:
        super().__init__(required=False, allow_null=True, allow_blank=True, trim_whitespace=True)


class CreateSnapshot(Body):
    envelope = "snapshot"
    aliases = {"display_name": "name", "display_description": "description"}
    example = {"volume_id": "3f0e6d9c-5b7a-4f0e-9d51-0a6c2f4a7b11", "name": "before"}

    volume_id = IdField()
    name = NameField(required=False, allow_null=True)
    description = Description()
    metadata = MetadataField(required=False, allow_null=True)
    force = Force()


class UpdateSnapshot(Body):
    envelope = "snapshot"
    aliases = {"display_name": "name", "display_description": "description"}
    example = {"name": "before", "description": "Before the upgrade"}

    name = NameField(required=False, allow_null=True)
    description = Description()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError("Give name or description.")
        return attrs
