"""`/backup_schedules`: making, listing, showing, changing and deleting them."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.response import Response

from backups import selectors
from backups.api.schedule_bodies import CreateSchedule, UpdateSchedule
from backups.api.schedule_filter import SORTABLE, ScheduleFilter
from backups.api.schedule_representations import (
    ScheduleNameRepresentation,
    ScheduleRepresentation,
)
from backups.models import Schedule
from backups.services import schedules as services
from storage_project.api.filters import wants_all_projects
from storage_project.api.paging import paginate
from storage_project.api.requests import ResourceRequest
from storage_project.api.views import ResourceView
from volumes.selectors import find_type, get_volume


def asked_for(request: ResourceRequest) -> "QuerySet[Schedule]":
    """The schedules that the caller may see and the query asks for."""
    schedules = selectors.schedules_of(request.auth, all_projects=wants_all_projects(request))
    return ScheduleFilter.apply(schedules, request)


class SchedulesView(ResourceView):
    """The schedules of the project, newest first, by id and name; and where new ones are made."""

    name = "Backup schedules"
    policies = {"GET": "backup_schedule:list", "POST": "backup_schedule:create"}
    bodies = {"POST": CreateSchedule}
    answers = {"GET": [ScheduleNameRepresentation], "POST": ScheduleRepresentation}

    def get(self, request: ResourceRequest) -> Response:
        return self.answer(paginate(asked_for(request), request, sortable=SORTABLE))

    def post(self, request: ResourceRequest) -> Response:
        values = self.read(request)
        covered: dict[str, Any] = {}
        if volume_id := values.pop("volume_id", None):
            covered["volume"] = get_volume(request.auth, volume_id)
        if volume_type := values.pop("volume_type", None):
            covered["volume_type"] = find_type(request.auth, volume_type)
        schedule = services.create_schedule(caller=request.auth, **covered, **values)
        return self.answer(selectors.get_schedule(request.auth, schedule.pk), status=201)


class SchedulesDetailView(ResourceView):
    """The schedules of the project with all that there is to know of them."""

    name = "Backup schedules in detail"
    policies = {"GET": "backup_schedule:list"}
    answers = {"GET": [ScheduleRepresentation]}

    def get(self, request: ResourceRequest) -> Response:
        return self.answer(paginate(asked_for(request), request, sortable=SORTABLE))


class ScheduleView(ResourceView):
    """One schedule."""

    name = "Backup schedule"
    policies = {
        "GET": "backup_schedule:get",
        "PUT": "backup_schedule:update",
        "DELETE": "backup_schedule:delete",
    }
    bodies = {"PUT": UpdateSchedule}
    answers = {"GET": ScheduleRepresentation, "PUT": ScheduleRepresentation}

    def get(self, request: ResourceRequest, schedule_id: str) -> Response:
        return self.answer(selectors.get_schedule(request.auth, schedule_id))

    def put(self, request: ResourceRequest, schedule_id: str) -> Response:
        values = self.read(request)
        schedule = selectors.get_schedule(request.auth, schedule_id)
        services.update_schedule(schedule=schedule, **values)
        return self.answer(selectors.get_schedule(request.auth, schedule.pk))

    def delete(self, request: ResourceRequest, schedule_id: str) -> Response:
        services.delete_schedule(schedule=selectors.get_schedule(request.auth, schedule_id))
        return Response(status=204)
