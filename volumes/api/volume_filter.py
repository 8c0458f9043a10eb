"""What lists of volumes can be narrowed down by, and sorted by."""

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
    "display_name": "name",
    "size": "size_gib",
    "status": "status",
    "attach_status": "attach_status",
    "migration_status": "migration_status",
    "availability_zone": "availability_zone",
    "bootable": "bootable",
    "volume_type_id": "volume_type_id",
    "project_id": "project_id",
    "user_id": "user_id",
}


class VolumeFilter(ListFilter):
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
    volume_type_id = IdFilter()
    availability_zone = TextFilter()
    availability_zone_like = since(
        "3.34",
        named("availability_zone~", TextFilter("availability_zone", lookup_expr="icontains")),
    )
    bootable = BooleanFilter()
    multiattach = BooleanFilter()
    metadata = MappingFilter()
    attach_status = TextFilter()
    migration_status = admin_only(TextFilter())
    user_id = TextFilter()
    project_id = TextFilter()
    created_at = since("3.60", TimeFilter())
    updated_at = since("3.60", TimeFilter())
