"""`/snapshots/{id}/action`: what is done to a snapshot besides changing its fields."""

from typing import Any

from storage_project.api.actions import Action, ActionView
from storage_project.api.bodies import Body
from storage_project.api.input_fields import Choice
from storage_project.api.requests import ResourceRequest
from volumes import selectors
from volumes.models import Snapshot
from volumes.services import snapshots as services
from volumes.states import SNAPSHOT_STATUSES


class ResetStatus(Body):
    example = {"status": "available"}

    status = Choice(SNAPSHOT_STATUSES)


def reset_status(request: ResourceRequest, snapshot: Snapshot, body: dict[str, Any]) -> None:
    services.reset_status(snapshot=snapshot, caller=request.auth, **body)


def force_delete(request: ResourceRequest, snapshot: Snapshot, body: dict[str, Any]) -> None:
    services.force_delete_snapshot(snapshot=snapshot, caller=request.auth)


class SnapshotActions(ActionView):
    """What can be done to a snapshot."""

    name = "Snapshot actions"
    actions = (
        Action(
            "os-reset_status",
            handler=reset_status,
            policy="snapshot:reset_status",
            body=ResetStatus,
        ),
        Action("os-force_delete", handler=force_delete, policy="snapshot:force_delete"),
    )

    def get_target(self, request: ResourceRequest, **kwargs: Any) -> Snapshot:
        return selectors.get_snapshot(request.auth, kwargs["snapshot_id"])
