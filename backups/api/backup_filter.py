"""What lists of backups can be narrowed down by, and sorted by."""

from storage_project.api.filters import (
    BooleanFilter,
    IdFilter,
    IntegerFilter,
    ListFilter,
    MappingFilter,
    TextFilter,
    TimeFilter,
)
from storage_project.api.gates import admin_only, named, since

SORTABLE = {
    "name": "name",
    "size": "size_gib",
    "status": "status",
    "volume_id": "volume_id",
    "container": "container",
    "project_id": "project_id",
    "user_id": "user_id",
    "data_timestamp": "data_timestamp",
}


class BackupFilter(ListFilter):
    id = IdFilter()
    name = TextFilter()
    name_like = since("3.34", named("name~", TextFilter("name", lookup_expr="icontains")))
    description_like = since(
        "3.34", named("description~", TextFilter("description", lookup_expr="icontains"))
    )
    status = TextFilter()
    status_like = since("3.34", named("status~", TextFilter("status", lookup_expr="icontains")))
    size = IntegerFilter("size_gib")
    volume_id = IdFilter()
    snapshot_id = IdFilter()
    parent_id = IdFilter()
    container = TextFilter()
    availability_zone = TextFilter()
    protected = BooleanFilter()
    schedule_id = IdFilter()
    metadata = since("3.43", MappingFilter())
    verification = TextFilter()
    damage_id = admin_only(IdFilter("damages"))
    user_id = TextFilter()
    project_id = TextFilter()
    created_at = since("3.60", TimeFilter())
    updated_at = since("3.60", TimeFilter())
