"""The actions on a volume by which clients attached before there were attachments."""

from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers

from storage_project.api.actions import Action
from storage_project.api.bodies import Body
from storage_project.api.faults import BadRequest, Conflict
from storage_project.api.input_fields import Choice, Text
from storage_project.api.requests import ResourceRequest
from volumes import selectors
from volumes.api.attachment_bodies import CONNECTOR, MODES, ConnectorField, split_connector
from volumes.api.outcomes import require_no_failure
from volumes.api.volume_bodies import OptionalId, OptionalText
from volumes.models import Attachment, Volume
from volumes.services import connections as services


def reserve(request: ResourceRequest, volume: Volume, body: dict[str, Any]) -> None:
    services.reserve_volume(volume=volume, caller=request.auth)


def unreserve(request: ResourceRequest, volume: Volume, body: dict[str, Any]) -> None:
    services.unreserve_volume(volume=volume)


def begin_detaching(request: ResourceRequest, volume: Volume, body: dict[str, Any]) -> None:
    services.begin_detaching(volume=volume)


def roll_detaching(request: ResourceRequest, volume: Volume, body: dict[str, Any]) -> None:
    services.roll_detaching(volume=volume)


class Attach(Body):
    example = {"host_name": "compute-1", "mountpoint": "/dev/vdb", "mode": "rw"}

    instance_uuid = OptionalId()
    host_name = OptionalText()
    mountpoint = Text()
    mode = Choice(MODES, required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        server_id, host_name = attrs.get("instance_uuid"), attrs.get("host_name")
        if (server_id is None) == (host_name is None):
            raise serializers.ValidationError("Give either instance_uuid or host_name.")
        return {
            "server_id": server_id,
            "host_name": host_name,
            "mountpoint": attrs["mountpoint"],
            "attach_mode": attrs.get("mode") or "rw",
        }


def attach(request: ResourceRequest, volume: Volume, body: dict[str, Any]) -> None:
    services.attach_volume(volume=volume, caller=request.auth, **body)


class OptionalArgument(Body):
    """An argument that clients also leave out."""

    example: ClassVar[dict[str, Any]] = {}

    @classmethod
    def read_value(
        cls, value: Any, request: ResourceRequest, *, path: str | None
    ) -> dict[str, Any]:
        return super().read_value({} if value is None else value, request, path=path)


class Detach(OptionalArgument):
    attachment_id = OptionalId()


def detach(request: ResourceRequest, volume: Volume, body: dict[str, Any]) -> None:
    _wait_until_gone(services.detach_volume(volume=volume, caller=request.auth, **body))


class ForceDetach(Detach):
    connector = ConnectorField(required=False, allow_null=True)


def force_detach(request: ResourceRequest, volume: Volume, body: dict[str, Any]) -> None:
    attachment_id: UUID | None = body.get("attachment_id")
    _wait_until_gone(
        services.force_detach(volume=volume, caller=request.auth, attachment_id=attachment_id)
    )


class Initialize(Body):
    example = {"connector": CONNECTOR}

    connector = ConnectorField()


def initialize(request: ResourceRequest, volume: Volume, body: dict[str, Any]) -> dict[str, Any]:
    """The connection_info in the form that os-brick reads. It is not kept for an Idempotency-Key:
    it has secrets, and who asks again gets the same."""
    if "HTTP_IDEMPOTENCY_KEY" in request.META:
        raise BadRequest(
            "os-initialize_connection takes no Idempotency-Key: asked again, it answers the same."
        )
    attachment = services.initialize_connection(
        volume=volume, caller=request.auth, **split_connector(body["connector"])
    )
    require_no_failure("attachment.connect", attachment.pk)
    made = selectors.get_attachment(request.auth, attachment.pk)
    if made.connection_info is None:
        raise Conflict(f"Volume {volume.pk} is still being connected; ask again.")
    return {"connection_info": made.connection_info}


class Terminate(OptionalArgument):
    connector = ConnectorField(required=False, allow_null=True)


def terminate(request: ResourceRequest, volume: Volume, body: dict[str, Any]) -> None:
    who = split_connector(body.get("connector"))["connector"]
    _wait_until_gone(
        services.terminate_connection(volume=volume, caller=request.auth, connector=who)
    )


def _wait_until_gone(attachment: Attachment | None) -> None:
    if attachment is not None:
        require_no_failure("attachment.delete", attachment.pk)


CONNECTION_ACTIONS = (
    Action("os-reserve", handler=reserve, policy="volume:attach"),
    Action("os-unreserve", handler=unreserve, policy="volume:attach"),
    Action(
        "os-initialize_connection",
        handler=initialize,
        policy="volume:attach",
        body=Initialize,
        status=200,
    ),
    Action("os-attach", handler=attach, policy="volume:attach", body=Attach),
    Action("os-begin_detaching", handler=begin_detaching, policy="volume:attach"),
    Action("os-roll_detaching", handler=roll_detaching, policy="volume:attach"),
    Action("os-terminate_connection", handler=terminate, policy="volume:attach", body=Terminate),
    Action("os-detach", handler=detach, policy="volume:attach", body=Detach),
    Action(
        "os-force_detach",
        handler=force_detach,
        policy="volume:force_detach",
        body=ForceDetach,
    ),
)
