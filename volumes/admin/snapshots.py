"""Snapshots: the list, and the story of each."""

from typing import ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from storage_project.console.columns import document, gib, moment, row_link
from storage_project.console.confirmation import confirmed
from storage_project.console.projects import ProjectFilter
from storage_project.identity.caller import Caller
from storage_project.operations.admin.story import ResourceRows
from volumes.admin.volumes import StatusFilter
from volumes.models import Snapshot, Volume
from volumes.services.snapshots import delete_snapshot, force_delete_snapshot, reset_status
from volumes.states import SNAPSHOT, SNAPSHOT_DELETABLE, SNAPSHOT_STATUSES


class SnapshotStatusFilter(StatusFilter):
    groups: ClassVar[dict[str, list[str]]] = {
        "moving": [*SNAPSHOT.transitional],
        "in error": [status for status in SNAPSHOT_STATUSES if status.startswith("error")],
    }
    settled: ClassVar[tuple[str, ...]] = ("available",)


class StatusForm(forms.Form):
    status = forms.ChoiceField(choices=[(status, status) for status in sorted(SNAPSHOT_STATUSES)])


@confirmed(
    "Delete",
    explains="The snapshot will be gone for good. Its volume, and volumes made from it, stay.",
    destroys=True,
    offered=lambda snapshot: snapshot.status in SNAPSHOT_DELETABLE,
)
def delete(snapshot: Snapshot, caller: Caller) -> None:
    delete_snapshot(snapshot=snapshot, caller=caller)


@confirmed(
    "Force delete",
    explains="What makes the snapshot is told to stop; then it will be gone for good, in whatever "
    "state it is now.",
    destroys=True,
)
def force_delete(snapshot: Snapshot, caller: Caller) -> None:
    force_delete_snapshot(snapshot=snapshot, caller=caller)


@confirmed(
    "Reset status",
    explains="Only the status in the database changes. Nothing is done on the backend, and an "
    "operation that works on the snapshot may end in an error because of it.",
    asks=StatusForm,
)
def reset(snapshot: Snapshot, caller: Caller, status: str) -> None:
    reset_status(snapshot=snapshot, status=status, caller=caller)


@admin.register(Snapshot)
class SnapshotAdmin(ResourceRows):
    list_display = ("title", "state", "size", "of_volume", "project", "created")
    list_filter = (SnapshotStatusFilter, ProjectFilter, "created_at")
    list_select_related = ("volume",)
    ordering = ("-created_at", "-id")
    sortable_by = ("size", "created")
    search_fields = ("name", "=project_id")
    search_ids = ("id", "volume_id")
    search_help_text = "Words of a name; the beginning of an id, or its volume's; a project's id."
    actions = (delete, force_delete, reset)
    fields = (
        "id",
        "name",
        "description",
        "size",
        "of_volume",
        "project",
        "user_id",
        "shown_metadata",
        "created",
        "changed",
    )

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """The page of a volume leads to the list of its snapshots."""
        return lookup == "volume__id__exact" or super().lookup_allowed(lookup, value, request)

    @admin.display(description="name", ordering="name")
    def title(self, snapshot: Snapshot) -> str:
        return snapshot.name or str(snapshot.pk)

    @admin.display(description="size", ordering="size_gib")
    def size(self, snapshot: Snapshot) -> str:
        return gib(snapshot.size_gib)

    @admin.display(description="volume")
    def of_volume(self, snapshot: Snapshot) -> SafeString | str:
        return row_link(Volume, snapshot.volume_id, snapshot.volume)

    @admin.display(description="metadata")
    def shown_metadata(self, snapshot: Snapshot) -> SafeString | str:
        return document(snapshot.metadata)

    @admin.display(description="changed")
    def changed(self, snapshot: Snapshot) -> SafeString | str:
        return moment(snapshot.updated_at)
