"""Attachments: the list, and the story of each. What is sealed in them is not shown."""

from typing import ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from storage_project.console.columns import NOTHING, moment, row_link
from storage_project.console.projects import ProjectFilter
from storage_project.operations.admin.story import ResourceRows
from volumes.admin.volumes import StatusFilter
from volumes.models import Attachment, Volume
from volumes.states import ATTACHMENT_STATUSES


class AttachmentStatusFilter(StatusFilter):
    groups: ClassVar[dict[str, list[str]]] = {
        "in error": [status for status in ATTACHMENT_STATUSES if status.startswith("error")],
    }
    settled: ClassVar[tuple[str, ...]] = ("reserved", "attaching", "attached", "detaching")


@admin.register(Attachment)
class AttachmentAdmin(ResourceRows):
    list_display = ("__str__", "state", "of_volume", "client", "export", "project", "created")
    list_display_links = ("__str__",)
    list_filter = (AttachmentStatusFilter, "export", ProjectFilter, "created_at")
    list_select_related = ("volume",)
    ordering = ("-created_at", "-id")
    sortable_by = ("created",)
    search_fields = ("=project_id",)
    search_ids = ("id", "volume_id", "server_id")
    search_help_text = "The beginning of an id, its volume's, or its server's; a project's id."
    fields = (
        "id",
        "of_volume",
        "server_id",
        "host",
        "attach_mode",
        "mountpoint",
        "export",
        "wanted",
        "project",
        "user_id",
        "attached",
        "created",
        "changed",
    )

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """The page of a volume leads to the list of its attachments."""
        return lookup == "volume__id__exact" or super().lookup_allowed(lookup, value, request)

    @admin.display(description="volume")
    def of_volume(self, attachment: Attachment) -> SafeString | str:
        return row_link(Volume, attachment.volume_id, attachment.volume)

    @admin.display(description="server or host")
    def client(self, attachment: Attachment) -> str:
        return str(attachment.server_id or attachment.host_name or NOTHING)

    @admin.display(description="host")
    def host(self, attachment: Attachment) -> str:
        return attachment.host_name or NOTHING

    @admin.display(description="attached")
    def attached(self, attachment: Attachment) -> SafeString | str:
        return moment(attachment.attached_at)

    @admin.display(description="changed")
    def changed(self, attachment: Attachment) -> SafeString | str:
        return moment(attachment.updated_at)
