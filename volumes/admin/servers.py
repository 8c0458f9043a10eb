"""Servers: what the hypervisors report, and what is attached to it."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from drivers.hypervisor.base import ServerStatus
from storage_project.console.columns import NOTHING, Tone, badge, list_link, moment, row_link
from storage_project.console.confirmation import confirmed
from storage_project.console.projects import ProjectFilter
from storage_project.console.rows import EngineRows
from storage_project.identity.caller import Caller
from storage_project.identity.models import Project
from volumes.models import Attachment, Server, Volume
from volumes.services.servers import give_server

TONES = {
    ServerStatus.ACTIVE: Tone.GOOD,
    ServerStatus.PAUSED: Tone.WARN,
    ServerStatus.SHUTOFF: Tone.QUIET,
    ServerStatus.ERROR: Tone.BAD,
}


class NewProjectForm(forms.Form):
    project = forms.ModelChoiceField(Project.objects.all(), empty_label=None)


@confirmed(
    "Give to another project",
    explains="Whoever is in that project may attach its volumes to the server from then on. "
    "What is attached now has to be detached first.",
    asks=NewProjectForm,
)
def give(server: Server, caller: Caller, project: Project) -> None:
    give_server(server=server, project_id=project.pk)


@admin.register(Server)
class ServerAdmin(EngineRows):
    list_display = ("name", "state", "attached", "host", "hypervisor", "project", "reported")
    list_filter = ("status", "host", "hypervisor", ProjectFilter)
    ordering = ("-created_at", "-id")
    sortable_by = ("name", "host")
    search_fields = ("name", "host", "=project_id")
    search_ids: ClassVar[tuple[str, ...]] = ("id",)
    search_help_text = "Words of a name or a host; the beginning of an id; a project's id."
    actions = (give,)
    fields = (
        "id",
        "name",
        "state",
        "attached_volumes",
        "host",
        "hypervisor",
        "vcpus",
        "memory",
        "project",
        "created",
        "reported",
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        here = Attachment.objects.filter(server_id=OuterRef("pk")).order_by()
        count = here.values("server_id").annotate(count=Count("pk")).values("count")
        return super().get_queryset(request).annotate(attached=Coalesce(Subquery(count), 0))

    @admin.display(description="status", ordering="status")
    def state(self, server: Server) -> SafeString:
        return badge(server.status, TONES[ServerStatus(server.status)])

    @admin.display(description="attached")
    def attached(self, server: Any) -> SafeString | str:
        if not server.attached:
            return NOTHING
        return list_link(Attachment, server.attached, server_id=str(server.pk))

    @admin.display(description="attached volumes")
    def attached_volumes(self, server: Server) -> SafeString | str:
        attachments = Attachment.objects.filter(server_id=server.pk).select_related("volume")
        lines = [
            (
                row_link(Volume, attachment.volume_id, attachment.volume),
                attachment.mountpoint or "no device yet",
                row_link(Attachment, attachment.pk, attachment.status),
            )
            for attachment in attachments.order_by("created_at", "id")
        ]
        return format_html_join("", "<p>{} · {} · {}</p>", lines) or NOTHING

    @admin.display(description="memory")
    def memory(self, server: Server) -> str:
        return f"{server.memory_mib:,} MiB"

    @admin.display(description="reported", ordering="reported_at")
    def reported(self, server: Server) -> SafeString | str:
        return moment(server.reported_at)
