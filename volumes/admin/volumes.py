"""Volumes: the list, and the story of each."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from storage_project.console.columns import (
    NOTHING,
    badge,
    document,
    gib,
    list_url,
    moment,
    row_link,
    tone_of,
)
from storage_project.console.confirmation import confirmed
from storage_project.console.filters import WordFilter
from storage_project.console.projects import ProjectFilter
from storage_project.identity.caller import Caller
from storage_project.operations.admin.story import SHOWN, ResourceRows
from volumes.admin.places import PoolFilter
from volumes.models import Attachment, Pool, Snapshot, Volume
from volumes.services.volumes import delete_volume, force_delete_volume, reset_status
from volumes.states import ATTACHMENT, BY_ATTACHMENTS, DELETABLE, SNAPSHOT, STATUSES, VOLUME


class StatusFilter(WordFilter):
    """The statuses that an operator looks for, in groups; `?status=` takes any other, too."""

    title = "status"
    parameter_name = "status"
    groups: ClassVar[dict[str, list[str]]] = {
        "moving": [*VOLUME.transitional],
        "in error": [status for status in STATUSES if status.startswith("error")],
    }
    settled: ClassVar[tuple[str, ...]] = (*BY_ATTACHMENTS, "maintenance")

    def words(self) -> list[str]:
        known = [*self.groups, *self.settled]
        chosen = self.value()
        return known if not chosen or chosen in known else [*known, chosen]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        group = self.groups.get(self.value() or "")
        return queryset.filter(status__in=group) if group else super().queryset(request, queryset)


class StatusForm(forms.Form):
    status = forms.ChoiceField(choices=[(status, status) for status in sorted(STATUSES)])


@confirmed(
    "Delete",
    explains="The volume and all that is on it will be gone for good. One that has snapshots is "
    "not deleted.",
    destroys=True,
    offered=lambda volume: volume.status in DELETABLE,
)
def delete(volume: Volume, caller: Caller) -> None:
    delete_volume(volume=volume, caller=caller)


@confirmed(
    "Delete with its snapshots",
    explains="The volume, all that is on it and all its snapshots will be gone for good.",
    destroys=True,
    offered=lambda volume: volume.status in DELETABLE and volume.snapshots.exists(),
)
def delete_with_snapshots(volume: Volume, caller: Caller) -> None:
    delete_volume(volume=volume, caller=caller, cascade=True)


@confirmed(
    "Force delete",
    explains="Whatever works on the volume is told to stop; then the volume and all that is on it "
    "will be gone for good, in whatever state it is now.",
    destroys=True,
)
def force_delete(volume: Volume, caller: Caller) -> None:
    force_delete_volume(volume=volume, caller=caller)


@confirmed(
    "Reset status",
    explains="Only the status in the database changes. Nothing is done on the backend, and an "
    "operation that works on the volume may end in an error because of it.",
    asks=StatusForm,
)
def reset(volume: Volume, caller: Caller, status: str) -> None:
    reset_status(volume=volume, status=status, caller=caller)


def snapshots_of(volume: Volume) -> dict[str, Any]:
    """The latest snapshots of a volume for its page, and where the rest is."""
    snapshots = volume.snapshots.order_by("-created_at", "-id")[:SHOWN]
    return {
        "snapshots": [
            {
                "link": row_link(Snapshot, snapshot.pk, snapshot),
                "state": badge(snapshot.status, tone_of(snapshot.status, SNAPSHOT.transitional)),
                "size": gib(snapshot.size_gib),
                "created": moment(snapshot.created_at),
            }
            for snapshot in snapshots
        ],
        "snapshots_url": list_url(Snapshot, volume__id__exact=str(volume.pk)),
    }


def attachments_of(volume: Volume) -> dict[str, Any]:
    """The latest attachments of a volume for its page, and where the rest is."""
    attachments = volume.attachments.order_by("-created_at", "-id")[:SHOWN]
    return {
        "attachments": [
            {
                "link": row_link(Attachment, attachment.pk, attachment),
                "state": badge(
                    attachment.status, tone_of(attachment.status, ATTACHMENT.transitional)
                ),
                "client": attachment.server_id or attachment.host_name or NOTHING,
                "created": moment(attachment.created_at),
            }
            for attachment in attachments
        ],
        "attachments_url": list_url(Attachment, volume__id__exact=str(volume.pk)),
    }


@admin.register(Volume)
class VolumeAdmin(ResourceRows):
    change_form_template = "volumes/volume.html"
    list_display = (
        "title",
        "state",
        "size",
        "volume_type",
        "place",
        "project",
        "created",
    )
    list_filter = (StatusFilter, "volume_type", PoolFilter, ProjectFilter, "created_at")
    list_select_related = ("volume_type", "pool__service")
    ordering = ("-created_at", "-id")
    sortable_by = ("size", "created")
    search_fields = ("name", "=project_id")
    search_ids = ("id",)
    search_help_text = "Words of a name; the beginning of an id; a project's id."
    actions = (delete, delete_with_snapshots, force_delete, reset)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "id",
                    "name",
                    "description",
                    "size",
                    "volume_type",
                    "project",
                    "place",
                    "availability_zone",
                    "attach_status",
                    "shown_metadata",
                    "created",
                )
            },
        ),
        (
            "More",
            {
                "classes": ("collapse",),
                "fields": ("user_id", "bootable", "multiattach", "migration_status", "changed"),
            },
        ),
    )

    @admin.display(description="name", ordering="name")
    def title(self, volume: Volume) -> str:
        return volume.name or str(volume.pk)

    @admin.display(description="size", ordering="size_gib")
    def size(self, volume: Volume) -> str:
        return gib(volume.size_gib)

    @admin.display(description="pool")
    def place(self, volume: Volume) -> SafeString | str:
        if volume.pool is None:
            return NOTHING
        return row_link(Pool, volume.pool.pk, volume.pool.host)

    @admin.display(description="metadata")
    def shown_metadata(self, volume: Volume) -> SafeString | str:
        return document(volume.metadata)

    @admin.display(description="changed")
    def changed(self, volume: Volume) -> SafeString | str:
        return moment(volume.updated_at)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def shown_besides(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return super().shown_besides(request, row) | snapshots_of(row) | attachments_of(row)
