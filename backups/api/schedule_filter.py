"""What lists of schedules and of their runs can be narrowed down by, and sorted by."""

from storage_project.api.filters import (
    BooleanFilter,
    IdFilter,
    ListFilter,
    TextFilter,
    TimeFilter,
)
from storage_project.api.gates import named

SORTABLE = {
    "name": "name",
    "enabled": "enabled",
    "next_slot": "next_slot",
    "last_slot": "last_slot",
    "volume_id": "volume_id",
    "project_id": "project_id",
    "user_id": "user_id",
}
RUNS_SORTABLE = {"slot": "slot", "status": "status", "finished_at": "finished_at"}
VOLUMES_SORTABLE = {"volume_id": "volume_id", "status": "status", "begins_at": "begins_at"}


class ScheduleFilter(ListFilter):
    id = IdFilter()
    name = TextFilter()
    name_like = named("name~", TextFilter("name", lookup_expr="icontains"))
    enabled = BooleanFilter()
    volume_id = IdFilter()
    volume_type = TextFilter("volume_type_name")
    volume_type_id = IdFilter()
    all_projects = BooleanFilter()
    container = TextFilter()
    user_id = TextFilter()
    project_id = TextFilter()
    next_slot = TimeFilter()
    last_slot = TimeFilter()
    created_at = TimeFilter()
    updated_at = TimeFilter()


class RunFilter(ListFilter):
    slot = TimeFilter()
    status = TextFilter()
    is_extra = BooleanFilter()


class RunVolumeFilter(ListFilter):
    volume_id = IdFilter()
    backup_id = IdFilter()
    status = TextFilter()
