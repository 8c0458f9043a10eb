"""What became of the slots of a schedule, and what its retention will do."""

from uuid import UUID

from rest_framework.response import Response

from backups import selectors
from backups.api.schedule_bodies import Rules
from backups.api.schedule_filter import (
    RUNS_SORTABLE,
    VOLUMES_SORTABLE,
    RunFilter,
    RunVolumeFilter,
)
from backups.api.schedule_representations import (
    PlanRepresentation,
    RunRepresentation,
    RunVolumeRepresentation,
)
from backups.models import Schedule
from backups.services.pruning import plan_volumes, volumes_with_backups
from backups.services.slots import count_outcomes
from storage_project.api.faults import SHOWN_LENGTH, BadRequest
from storage_project.api.paging import next_address, paginate, read_number
from storage_project.api.requests import ResourceRequest
from storage_project.api.views import ResourceView

# A volume's plan names all of its backups.
MOST_PLANS = 100


class RunsView(ResourceView):
    """The slots that a schedule has had, the latest first."""

    name = "Runs of a backup schedule"
    policies = {"GET": "backup_schedule:get"}
    answers = {"GET": [RunRepresentation]}

    def get(self, request: ResourceRequest, schedule_id: str) -> Response:
        schedule = selectors.get_schedule(request.auth, schedule_id)
        page = paginate(
            RunFilter.apply(selectors.runs_of(schedule), request),
            request,
            sortable=RUNS_SORTABLE,
            default_sort=(("slot", "desc"),),
        )
        counted = count_outcomes([run.pk for run in page if run.finished_at is None])
        for run in page:
            run.outcomes = counted.get(run.pk, run.outcomes)
        return self.answer(page)


class RunVolumesView(ResourceView):
    """What has become of each volume in a slot."""

    name = "Volumes in a run"
    policies = {"GET": "backup_schedule:get"}
    answers = {"GET": [RunVolumeRepresentation]}

    def get(self, request: ResourceRequest, schedule_id: str, run_id: str) -> Response:
        schedule = selectors.get_schedule(request.auth, schedule_id)
        volumes = selectors.volumes_in_run(schedule, run_id)
        return self.answer(
            paginate(
                RunVolumeFilter.apply(volumes, request),
                request,
                sortable=VOLUMES_SORTABLE,
                default_sort=(("volume_id", "asc"),),
            )
        )


class PlanView(ResourceView):
    """What retention would keep and delete now, and why: by the schedule's rules, or by those in
    the query instead, as `?keep_daily=7&keep_weekly=4`. The marker is the id of a volume."""

    name = "Plan of a backup schedule"
    policies = {"GET": "backup_schedule:get"}
    answers = {"GET": [PlanRepresentation]}

    def get(self, request: ResourceRequest, schedule_id: str) -> Response:
        schedule = with_rules(selectors.get_schedule(request.auth, schedule_id), request)
        limit = min(read_number(request.query_params, "limit", default=MOST_PLANS), MOST_PLANS)
        beyond = read_marker(request)
        ids = volumes_with_backups(schedule, beyond=beyond, limit=limit + 1)
        shown = PlanRepresentation.show_list(plan_volumes(schedule, ids[:limit]), request)
        if limit and len(ids) > limit:
            shown["plans_links"] = [{"rel": "next", "href": next_address(request, ids[limit - 1])}]
        return Response(shown)


def with_rules(schedule: Schedule, request: ResourceRequest) -> Schedule:
    """The schedule as it would be with the rules that the query names, if it does."""
    names = [*Rules().fields]
    wanted = {name: request.query_params[name] for name in names if name in request.query_params}
    if wanted:
        rules = dict.fromkeys(names, 0) | {"max_age_days": None}
        for name, value in (rules | Rules.read_value(wanted, request, path=None)).items():
            setattr(schedule, name, value)
    return schedule


def read_marker(request: ResourceRequest) -> UUID | None:
    marker = request.query_params.get("marker") or ""
    try:
        return UUID(marker) if marker else None
    except ValueError:
        raise BadRequest(f"marker {marker[:SHOWN_LENGTH]} could not be found.") from None
