"""Messages: what projects were told about requests that did not succeed."""

from django.contrib import admin
from django.utils.safestring import SafeString

from storage_project.console.columns import NOTHING, Tone, badge, moment, row_link, short
from storage_project.console.filters import WordFilter
from storage_project.console.projects import ProjectFilter
from storage_project.console.rows import EngineRows
from storage_project.operations.admin.resources import resource_link
from storage_project.operations.messages import Code
from storage_project.operations.models import Message, Operation


class CodeFilter(WordFilter):
    title = "code"
    parameter_name = "code"

    def words(self) -> list[str]:
        return [*Code]


@admin.register(Message)
class MessageAdmin(EngineRows):
    list_display = ("sentence", "shown_code", "resource", "about", "project", "created")
    list_filter = (CodeFilter, ProjectFilter, "created_at")
    ordering = ("-created_at", "-id")
    sortable_by = ("created",)
    search_fields = ("sentence", "=request_id", "=project_id")
    search_ids = ("id", "resource_id", "operation__id")
    search_help_text = "Words of a message; a request id; the beginning of a resource's id."
    fields = (
        "sentence",
        "shown_code",
        "level",
        "resource",
        "about",
        "project",
        "request_id",
        "created",
        "expires",
    )

    @admin.display(description="code")
    def shown_code(self, message: Message) -> SafeString:
        return badge(message.code, Tone.BAD if message.level == "ERROR" else Tone.QUIET)

    @admin.display(description="resource")
    def resource(self, message: Message) -> SafeString | str:
        return resource_link(message)

    @admin.display(description="operation")
    def about(self, message: Message) -> SafeString | str:
        if message.operation_id is None:
            return NOTHING
        return row_link(Operation, message.operation_id, short(message.operation_id))

    @admin.display(description="kept until")
    def expires(self, message: Message) -> SafeString | str:
        return moment(message.expires_at)
