"""`/backups/{id}/action`: what is done to a backup besides changing its fields."""

from typing import Any

from backups import selectors
from backups.models import Backup
from backups.services import backups as services
from backups.services import verification
from storage_project.api.actions import Action, ActionView
from storage_project.api.bodies import Body
from storage_project.api.input_fields import Choice
from storage_project.api.requests import ResourceRequest
from storage_project.operations.api.operations import OperationRepresentation


class ResetStatus(Body):
    example = {"status": "available"}

    status = Choice(("available", "error"))


def reset_status(request: ResourceRequest, backup: Backup, body: dict[str, Any]) -> None:
    services.reset_status(backup=backup, caller=request.auth, **body)


def force_delete(request: ResourceRequest, backup: Backup, body: dict[str, Any]) -> None:
    services.force_delete_backup(backup=backup, caller=request.auth)


def verify(request: ResourceRequest, backup: Backup, body: dict[str, Any]) -> dict[str, Any]:
    operation = verification.verify_backup(backup=backup, caller=request.auth)
    return OperationRepresentation.show(operation, request)


def test(request: ResourceRequest, backup: Backup, body: dict[str, Any]) -> dict[str, Any]:
    operation = verification.try_restore(backup=backup, caller=request.auth)
    return OperationRepresentation.show(operation, request)


class BackupActions(ActionView):
    """What can be done to a backup."""

    name = "Backup actions"
    actions = (
        Action(
            "os-reset_status", handler=reset_status, policy="backup:reset_status", body=ResetStatus
        ),
        Action("os-force_delete", handler=force_delete, policy="backup:force_delete"),
        Action("verify", handler=verify, policy="backup:verify"),
        Action("test", handler=test, policy="backup:test"),
    )

    def get_target(self, request: ResourceRequest, **kwargs: Any) -> Backup:
        return selectors.get_backup(request.auth, kwargs["backup_id"])
