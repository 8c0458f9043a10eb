"""`/volumes/{id}/action`: everything that is done to a volume besides changing its fields."""

from typing import Any

from rest_framework import serializers

from storage_project.api.actions import Action, ActionView
from storage_project.api.bodies import Body
from storage_project.api.input_fields import BooleanLike, Choice, IdField, IntegerLike
from storage_project.api.requests import ResourceRequest
from storage_project.api.versions import Microversion
from volumes import selectors
from volumes.api.connection_actions import CONNECTION_ACTIONS
from volumes.models import Volume
from volumes.services import volumes as services
from volumes.states import STATUSES

ATTACH_STATUSES = ("attached", "detached")
MIGRATION_STATUSES = ("migrating", "error", "success", "completing", "none", "starting")

# Before, clients rely on the refusal of a volume that is attached.
EXTENDS_IN_USE_SINCE = Microversion(3, 42)


class Extend(Body):
    example = {"new_size": 2}

    new_size = IntegerLike(min_value=1)


def extend(request: ResourceRequest, volume: Volume, body: dict[str, Any]) -> None:
    services.extend_volume(
        volume=volume,
        new_size_gib=body["new_size"],
        caller=request.auth,
        also_in_use=request.microversion >= EXTENDS_IN_USE_SINCE,
    )


class ResetStatus(Body):
    example = {"status": "available"}

    status = Choice(STATUSES, required=False, allow_null=True)
    attach_status = Choice(ATTACH_STATUSES, required=False, allow_null=True)
    migration_status = Choice(MIGRATION_STATUSES, required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not any(attrs.values()):
            raise serializers.ValidationError("Give status, attach_status or migration_status.")
        return attrs


def reset_status(request: ResourceRequest, volume: Volume, body: dict[str, Any]) -> None:
    services.reset_status(volume=volume, caller=request.auth, **body)


def force_delete(request: ResourceRequest, volume: Volume, body: dict[str, Any]) -> None:
    services.force_delete_volume(volume=volume, caller=request.auth)


class SetBootable(Body):
    example = {"bootable": True}

    bootable = BooleanLike()


def set_bootable(request: ResourceRequest, volume: Volume, body: dict[str, Any]) -> None:
    services.set_bootable(volume=volume, **body)


class SetReadonly(Body):
    example = {"readonly": True}

    readonly = BooleanLike()


def set_readonly(request: ResourceRequest, volume: Volume, body: dict[str, Any]) -> None:
    services.set_readonly(volume=volume, **body)


class Revert(Body):
    example = {"snapshot_id": "5b1d8f1e-6c57-4a2b-a7a6-0f6d8e1f2c33"}

    snapshot_id = IdField()


def revert(request: ResourceRequest, volume: Volume, body: dict[str, Any]) -> None:
    services.revert_volume(volume=volume, caller=request.auth, **body)


class VolumeActions(ActionView):
    """What can be done to a volume."""

    name = "Volume actions"
    actions = (
        Action("os-extend", handler=extend, policy="volume:extend", body=Extend),
        Action("revert", handler=revert, policy="volume:revert", body=Revert, since="3.40"),
        Action(
            "os-set_bootable",
            handler=set_bootable,
            policy="volume:update",
            body=SetBootable,
            status=200,
        ),
        Action(
            "os-update_readonly_flag",
            handler=set_readonly,
            policy="volume:update",
            body=SetReadonly,
        ),
        Action(
            "os-reset_status",
            handler=reset_status,
            policy="volume:reset_status",
            body=ResetStatus,
        ),
        Action("os-force_delete", handler=force_delete, policy="volume:force_delete"),
        *CONNECTION_ACTIONS,
    )

    def get_target(self, request: ResourceRequest, **kwargs: Any) -> Volume:
        return selectors.get_volume(request.auth, kwargs["volume_id"])
