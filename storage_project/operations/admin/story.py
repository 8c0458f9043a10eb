"""The story of one resource: what was asked of it, and every status it had."""

from dataclasses import dataclass, replace
from typing import Any

from django.contrib import admin, messages
from django.db.models import F
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from storage_project.console.columns import badge, list_url, moment, row_link, tone_of
from storage_project.console.rows import EngineRows
from storage_project.operations.admin.progress import STATUS_TONES, progress
from storage_project.operations.admin.timeline import Line, move_line
from storage_project.operations.flow import Flowing
from storage_project.operations.models import Message, Operation, Transition
from storage_project.operations.states import Status

SHOWN = 20


@dataclass(frozen=True)
class Chapter:
    """One operation on the resource."""

    operation: Operation
    state: SafeString
    progress: SafeString
    created: SafeString | str


@dataclass(frozen=True)
class Story:
    """The latest of each, the newest first, and where the rest is."""

    chapters: list[Chapter]
    operations_url: str
    moves: list[Line]
    moves_url: str
    messages_url: str


def story_of(resource: Flowing) -> Story:
    """Read in two queries, however long it is."""
    operations = Operation.objects.filter(resource_id=resource.pk).order_by("-created_at")
    moves = Transition.objects.filter(resource_id=resource.pk).order_by("-id")
    moves = moves.annotate(kind=F("operation__kind"))
    return Story(
        chapters=[_chapter(operation) for operation in operations[:SHOWN]],
        operations_url=list_url(Operation, resource_id=str(resource.pk)),
        moves=[_line(move) for move in moves[:SHOWN]],
        moves_url=list_url(Transition, resource_id=str(resource.pk)),
        messages_url=list_url(Message, resource_id=str(resource.pk)),
    )


def _line(move: Any) -> Line:
    by = row_link(Operation, move.operation_id, move.kind) if move.kind else ""
    return replace(move_line(move, move.resource_type), by=by)


def _chapter(operation: Operation) -> Chapter:
    state = badge(operation.status, STATUS_TONES[Status(operation.status)])
    return Chapter(operation, state, progress(operation), moment(operation.created_at))


class ResourceRows(EngineRows):
    """Rows of resources that operations work on: the page of each tells its story."""

    change_form_template = "operations/resource.html"

    @admin.display(description="status", ordering="status")
    def state(self, row: Flowing) -> SafeString:
        return badge(row.status, tone_of(row.status, row.flow.transitional))

    def shown_besides(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return {"state": self.state(row), "story": story_of(row)}

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Any, object_id: str
    ) -> HttpResponse:
        """The row of a deleted resource is gone, its history is not."""
        gone = f"{capfirst(opts.verbose_name)} {object_id} does not exist any more."
        messages.info(request, f"{gone} This is its history.")
        return HttpResponseRedirect(list_url(Transition, q=object_id))
