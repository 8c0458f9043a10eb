"""What lists of attachments can be narrowed down by, and sorted by."""

from storage_project.api.filters import IdFilter, ListFilter, TextFilter

SORTABLE = {
    "status": "status",
    "attach_status": "status",
    "volume_id": "volume_id",
    "instance_uuid": "server_id",
    "project_id": "project_id",
    "user_id": "user_id",
}


class AttachmentFilter(ListFilter):
    id = IdFilter()
    volume_id = IdFilter()
    instance_id = IdFilter("server_id")
    instance_uuid = IdFilter("server_id")
    status = TextFilter()
    attach_status = TextFilter("status")
    attach_mode = TextFilter()
    user_id = TextFilter()
    project_id = TextFilter()
