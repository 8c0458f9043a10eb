"""What lists of snapshots can be narrowed down by, and sorted by."""

from storage_project.api.filters import (
    IdFilter,
    IntegerFilter,
    ListFilter,
    MappingFilter,
    TextFilter,
    TimeFilter,
)
from storage_project.api.gates import named, since

SORTABLE = {
    "name": "name",
    "display_name": "name",
    "size": "size_gib",
    "status": "status",
    "volume_id": "volume_id",
    "project_id": "project_id",
    "user_id": "user_id",
}


class SnapshotFilter(ListFilter):
    id = IdFilter()
    name = TextFilter()
    display_name = TextFilter("name")
    name_like = since("3.34", named("name~", TextFilter("name", lookup_expr="icontains")))
    description_like = since(
        "3.34", named("description~", TextFilter("description", lookup_expr="icontains"))
    )
    status = TextFilter()
    status_like = since("3.34", named("status~", TextFilter("status", lookup_expr="icontains")))
    size = IntegerFilter("size_gib")
    volume_id = IdFilter()
    availability_zone = TextFilter("volume__availability_zone")
    metadata = since("3.22", MappingFilter())
    user_id = TextFilter()
    project_id = TextFilter()
    created_at = since("3.60", TimeFilter())
    updated_at = since("3.60", TimeFilter())
