"""`/backup_schedules/{id}/action`: what is done with a schedule besides changing it."""

from typing import Any

from backups import selectors
from backups.api.schedule_representations import RunRepresentation
from backups.models import Schedule
from backups.services import schedules as services
from storage_project.api.actions import Action, ActionView
from storage_project.api.requests import ResourceRequest


def run(request: ResourceRequest, schedule: Schedule, body: dict[str, Any]) -> dict[str, Any]:
    return RunRepresentation.show(services.run_schedule(schedule=schedule), request)


class ScheduleActions(ActionView):
    """What can be done with a schedule."""

    name = "Backup schedule actions"
    actions = (Action("run", handler=run, policy="backup_schedule:run"),)

    def get_target(self, request: ResourceRequest, **kwargs: Any) -> Schedule:
        return selectors.get_schedule(request.auth, kwargs["schedule_id"])
