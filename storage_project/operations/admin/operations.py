"""Operations: what is under way, what failed, and the whole life of each."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from storage_project.console.columns import (
    NOTHING,
    badge,
    document,
    duration,
    list_url,
    moment,
    short,
)
from storage_project.console.confirmation import confirmed
from storage_project.console.filters import WordFilter
from storage_project.console.flower import flower_tasks_url
from storage_project.console.projects import ProjectFilter
from storage_project.console.rows import EngineRows
from storage_project.identity.caller import Caller
from storage_project.operations.admin.progress import (
    STATUS_TONES,
    byte_bar,
    error_of,
    progress,
    step_meter,
)
from storage_project.operations.admin.resources import resource_link
from storage_project.operations.admin.timeline import lines_of
from storage_project.operations.models import Message, Operation
from storage_project.operations.pipeline import pipelines
from storage_project.operations.services import cancel_operation
from storage_project.operations.states import ACTIVE, Status


class StatusFilter(WordFilter):
    """Each status, and the active ones together."""

    title = "status"
    parameter_name = "status"

    def words(self) -> list[str]:
        return ["active", *Status.values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "active":
            return queryset.filter(status__in=ACTIVE)
        return super().queryset(request, queryset)


class KindFilter(WordFilter):
    title = "kind"
    parameter_name = "kind"

    def words(self) -> list[str]:
        return [*pipelines()]


def _can_be_cancelled(operation: Operation) -> bool:
    return (
        operation.active
        and not operation.cancel_requested
        and pipelines()[operation.kind].may_cancel(operation.step, operation.attempts)
    )


@confirmed(
    "Cancel",
    explains="The operation stops at the next point where it can, and what it has done so far is "
    "taken back. One that has no way back any more goes on.",
    destroys=True,
    offered=_can_be_cancelled,
)
def cancel(operation: Operation, caller: Caller) -> None:
    cancel_operation(operation=operation)


@admin.register(Operation)
class OperationAdmin(EngineRows):
    change_form_template = "operations/operation.html"
    list_display = (
        "kind",
        "state",
        "progress",
        "resource",
        "project",
        "created",
        "took",
    )
    list_filter = (StatusFilter, KindFilter, ProjectFilter, "created_at")
    ordering = ("-created_at", "-id")
    sortable_by = ("created",)
    search_fields = ("=request_id", "=project_id", "error")
    search_ids = ("id", "resource_id")
    search_help_text = "The beginning of an operation's or a resource's id; a request id; an error."
    actions = (cancel,)
    fieldsets = (
        ("Request", {"fields": ("id", "project", "user_id", "request_id", "created", "took")}),
        (
            "Who runs it",
            {
                "classes": ("collapse",),
                "fields": (
                    "step",
                    "queue",
                    "owner",
                    "fence",
                    "lease",
                    "attempts",
                    "rings",
                    "next_ring",
                    "deadline",
                    "cancel_requested",
                ),
            },
        ),
        (
            "Arguments and notes",
            {"classes": ("collapse",), "fields": ("shown_arguments", "shown_notes")},
        ),
    )

    @admin.display(description="status", ordering="status")
    def state(self, operation: Operation) -> SafeString:
        return badge(operation.status, STATUS_TONES[Status(operation.status)])

    @admin.display(description="progress")
    def progress(self, operation: Operation) -> SafeString:
        return progress(operation)

    @admin.display(description="resource")
    def resource(self, operation: Operation) -> SafeString | str:
        return resource_link(operation, short(operation.resource_id))

    @admin.display(description="took")
    def took(self, operation: Operation) -> str:
        if operation.finished_at is None:
            return NOTHING
        return duration((operation.finished_at - operation.created_at).total_seconds())

    @admin.display(description="lease until")
    def lease(self, operation: Operation) -> SafeString | str:
        return moment(operation.lease_until)

    @admin.display(description="rung again")
    def next_ring(self, operation: Operation) -> SafeString | str:
        return moment(operation.ring_after) if operation.active else NOTHING

    @admin.display(description="given up")
    def deadline(self, operation: Operation) -> SafeString | str:
        return moment(operation.deadline_at) if operation.active else NOTHING

    @admin.display(description="arguments")
    def shown_arguments(self, operation: Operation) -> SafeString | str:
        return document(operation.arguments)

    @admin.display(description="notes")
    def shown_notes(self, operation: Operation) -> SafeString | str:
        return document(operation.notes)

    def shown_besides(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return {
            "state": self.state(row),
            "step_meter": step_meter(row),
            "byte_bar": byte_bar(row) if row.total_bytes else "",
            "resource_link": resource_link(row),
            "error": error_of(row),
            "lines": lines_of(row),
            "messages_url": list_url(Message, operation__id=str(row.pk)),
            "flower_tasks_url": flower_tasks_url(request, kind=row.kind, operation_id=row.pk),
        }
