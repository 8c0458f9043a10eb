"""The base of every page of rows, and of those that only the engine writes."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from storage_project.api.faults import Fault
from storage_project.console.columns import NOTHING, list_link, moment
from storage_project.console.confirmation import ConfirmedAction
from storage_project.console.projects import with_project_names
from storage_project.console.search import begins_with


class Rows(admin.ModelAdmin):  # type: ignore[type-arg]  # it has none when it runs
    """Lists that stay quick with 100,000 rows, found by the beginning of an id, too.

    What a service refuses while a form is saved is shown as its sentence; nothing is saved then.
    """

    list_per_page = 50
    list_max_show_all = 200
    # Each of these would count the whole table once more.
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    # The UUIDs that the search box finds by how they begin.
    search_ids: ClassVar[tuple[str, ...]] = ()

    @admin.display(description="project")
    def project(self, row: Any) -> SafeString | str:
        """Its name, which leads to the rows of that project; nothing where nobody has asked."""
        if not row.project_id:
            return NOTHING
        return list_link(self.model, row.project_name or row.project_id, project_id=row.project_id)

    @admin.display(description="created", ordering="-created_at")
    def created(self, row: Any) -> SafeString | str:
        return moment(row.created_at)

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        has_project = any(field.name == "project_id" for field in self.opts.fields)
        return with_project_names(rows) if has_project else rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        by_id = begins_with(self.search_ids, search_term)
        return (found | queryset.filter(by_id) if by_id else found), may_repeat

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": title} | (extra_context or {}))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except Fault as fault:
            messages.error(request, fault.message)
            return HttpResponseRedirect(request.get_full_path())

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Deleting is an action of its own where a service does it, never Django's cascade."""
        return False

    def shown_besides(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """What the page of a row shows besides its fields, for the template."""
        return {}

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Model | None = None,
    ) -> HttpResponse:
        if obj is not None:
            context |= self.shown_besides(request, obj)
        context["offered_actions"] = [
            action
            for action in self.actions or ()
            if isinstance(action, ConfirmedAction) and obj is not None and action.offered(obj)
        ]
        return super().render_change_form(request, context, add, change, form_url, obj)


class EngineRows(Rows):
    """Rows that are only looked at here: to change one, act on it, and a service does."""

    change_form_template = "console/row.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
