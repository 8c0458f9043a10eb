"""History: every move of every status, also of resources that are no more."""

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from storage_project.console.columns import NOTHING, moment, one_line, row_link, short
from storage_project.console.rows import EngineRows
from storage_project.operations.admin.resources import resource_badge, resource_link
from storage_project.operations.models import Operation, Transition


@admin.register(Transition)
class TransitionAdmin(EngineRows):
    list_display = ("shown_at", "resource", "move", "step", "by", "shown_note")
    list_display_links = None
    list_filter = ("at",)
    ordering = ("-id",)
    sortable_by = ()
    search_fields = ("note",)
    search_ids = ("resource_id", "operation__id")
    search_help_text = "The beginning of a resource's or an operation's id; words of a note."
    fields = ("shown_at", "resource", "move", "step", "by", "note")

    @admin.display(description="at")
    def shown_at(self, move: Transition) -> SafeString | str:
        return moment(move.at)

    @admin.display(description="resource")
    def resource(self, move: Transition) -> SafeString | str:
        return resource_link(move)

    @admin.display(description="status")
    def move(self, move: Transition) -> SafeString:
        became = resource_badge(move.resource_type, move.became)
        if not move.was:
            return became
        return format_html("{} → {}", resource_badge(move.resource_type, move.was), became)

    @admin.display(description="note")
    def shown_note(self, move: Transition) -> SafeString:
        return one_line(move.note)

    @admin.display(description="operation")
    def by(self, move: Transition) -> SafeString | str:
        if move.operation_id is None:
            return NOTHING
        return row_link(Operation, move.operation_id, short(move.operation_id))
