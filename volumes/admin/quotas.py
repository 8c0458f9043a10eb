"""Quotas: what projects have, and what they may have."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.safestring import SafeString

from storage_project.console.columns import share
from storage_project.console.confirmation import confirmed
from storage_project.console.projects import ProjectFilter
from storage_project.console.rows import EngineRows, Rows
from storage_project.identity.caller import Caller
from storage_project.identity.models import Project
from volumes.models import QuotaLimit, QuotaUsage
from volumes.quota import DEFAULTS, UNLIMITED, known_resources
from volumes.services.quotas import delete_limits, set_limits

ALL_PROJECTS = "all projects without one of their own"


@admin.register(QuotaUsage)
class QuotaUsageAdmin(EngineRows):
    list_display = ("resource", "project", "in_use", "reserved", "shown_share")
    list_filter = (ProjectFilter,)
    ordering = ("project_id", "resource")
    search_fields = ("resource", "=project_id")
    fields = ("project", "resource", "in_use", "reserved", "shown_share")

    def get_queryset(self, request: HttpRequest) -> Any:
        limits = QuotaLimit.objects.filter(resource=OuterRef("resource")).values("limit")
        own = limits.filter(project_id=OuterRef("project_id"))
        default = limits.filter(project_id="")
        rows = super().get_queryset(request)
        return rows.annotate(set_limit=Coalesce(Subquery(own), Subquery(default)))

    @admin.display(description="of the limit")
    def shown_share(self, usage: Any) -> SafeString | str:
        limit, taken = _limit_of(usage), usage.in_use + usage.reserved
        return "no limit" if limit == UNLIMITED else share(taken, limit, f"{taken} of {limit}")


def _limit_of(usage: Any) -> int:
    if usage.set_limit is not None:
        return int(usage.set_limit)
    return DEFAULTS.get(usage.resource, UNLIMITED)


class QuotaLimitForm(forms.ModelForm):  # type: ignore[type-arg]  # it has none when it runs
    project_id = forms.ModelChoiceField(
        Project.objects.all(), label="Project", required=False, empty_label=ALL_PROJECTS
    )
    resource = forms.ChoiceField(
        choices=lambda: [(resource, resource) for resource in known_resources()]
    )
    limit = forms.IntegerField(min_value=UNLIMITED, help_text="-1 is no limit.")

    class Meta:
        model = QuotaLimit
        fields = ("project_id", "resource", "limit")

    def clean_project_id(self) -> str:
        project = self.cleaned_data["project_id"]
        return project.pk if project else ""


@confirmed(
    "Let the defaults count again",
    explains="All limits that were set for the projects of these rows are deleted, not only the "
    "chosen ones. For the defaults themselves: the built-in ones count again.",
    destroys=True,
)
def forget(limit: QuotaLimit, caller: Caller) -> None:
    delete_limits(project_id=limit.project_id)


@admin.register(QuotaLimit)
class QuotaLimitAdmin(Rows):
    form = QuotaLimitForm
    change_form_template = "console/form.html"
    list_display = ("resource", "project", "shown_limit")
    list_filter = (ProjectFilter,)
    ordering = ("project_id", "resource")
    search_fields = ("resource", "=project_id")
    actions = (forget,)

    @admin.display(description="project")
    def project(self, row: Any) -> SafeString | str:
        return super().project(row) if row.project_id else ALL_PROJECTS

    @admin.display(description="limit", ordering="limit")
    def shown_limit(self, row: QuotaLimit) -> str:
        return "none" if row.limit == UNLIMITED else str(row.limit)

    def get_fields(self, request: HttpRequest, obj: QuotaLimit | None = None) -> tuple[str, ...]:
        """Whose limit of what it is stays; another pair is another limit."""
        return ("project", "resource", "limit") if obj else ("project_id", "resource", "limit")

    def get_readonly_fields(
        self, request: HttpRequest, obj: QuotaLimit | None = None
    ) -> tuple[str, ...]:
        return ("project", "project_id", "resource") if obj else ()

    def save_model(
        self, request: HttpRequest, obj: QuotaLimit, form: QuotaLimitForm, change: bool
    ) -> None:
        set_limits(project_id=obj.project_id, limits={obj.resource: obj.limit})
        if not change:
            obj.pk = QuotaLimit.objects.get(project_id=obj.project_id, resource=obj.resource).pk
