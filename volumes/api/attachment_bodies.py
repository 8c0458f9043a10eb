"""What clients send to attach a volume."""

from typing import Any

from rest_framework import serializers

from storage_project.api.bodies import Body
from storage_project.api.gates import since
from storage_project.api.input_fields import Choice, IdField, Text
from volumes.api.volume_bodies import OptionalId

MODES = ("rw", "ro")
CONNECTOR = {
    "host": "compute-1",
    "ip": "10.0.0.7",
    "initiator": "iqn.2004-10.com.example:compute-1",
}


class ConnectorField(serializers.Field[Any, Any, Any, Any]):
    """What a host says about itself. Clients send all that they know; read is what counts here.

    Where it may be left out, they also send an empty one.
    """

    default_error_messages = {"mapping": "Must be an object."}

    needed = {"host": Text()}
    known = {
        name: Text(allow_null=True, allow_blank=True) for name in ("ip", "initiator", "mountpoint")
    }
    mode = Choice(MODES, allow_null=True, allow_blank=True)

    def to_internal_value(self, data: object) -> dict[str, Any] | None:
        if not isinstance(data, dict):
            self.fail("mapping")
        if not data and self.allow_null:
            return None
        fields = {**self.needed, **self.known, "mode": self.mode}
        found, errors = {}, {}
        for name, field in fields.items():
            try:
                if name in data or name in self.needed:
                    found[name] = field.run_validation(data.get(name))
            except serializers.ValidationError as error:
                errors[name] = error.detail
        if errors:
            raise serializers.ValidationError(errors)
        return found


def split_connector(connector: dict[str, Any] | None) -> dict[str, Any]:
    """The part of it that tells who, and what it asks for: `connector`, `attach_mode` and
    `mountpoint`."""
    if not connector:
        return {"connector": None}
    return {
        "connector": {name: connector.get(name) or "" for name in ("host", "ip", "initiator")},
        "attach_mode": connector.get("mode") or "rw",
        "mountpoint": connector.get("mountpoint") or None,
    }


class CreateAttachment(Body):
    envelope = "attachment"
    example = {
        "volume_uuid": "3f0e6d9c-5b7a-4f0e-9d51-0a6c2f4a7b11",
        "instance_uuid": None,
        "connector": CONNECTOR,
        "mode": "rw",
    }

    volume_uuid = IdField()
    instance_uuid = OptionalId()
    connector = ConnectorField(required=False, allow_null=True)
    mode = since("3.54", Choice((*MODES, "null"), required=False, allow_null=True))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        values = split_connector(attrs.get("connector"))
        if attrs.get("mode") in MODES:
            values["attach_mode"] = attrs["mode"]
        return {
            "volume_id": attrs["volume_uuid"],
            "server_id": attrs.get("instance_uuid"),
            **values,
        }


class UpdateAttachment(Body):
    envelope = "attachment"
    example = {"connector": CONNECTOR}

    connector = ConnectorField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return split_connector(attrs["connector"])
