"""Projects in lists: resource rows carry only the id, people know the name."""

from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest

from storage_project.console.filters import WordFilter
from storage_project.identity.models import Project

OFFERED = 25


class ProjectFilter(WordFilter):
    """Offers the first projects by name; any other is one click on its name in a row away."""

    title = "project"
    parameter_name = "project_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        offered = list(Project.objects.values_list("pk", "name")[:OFFERED])
        chosen = self.value()
        if chosen and chosen not in dict(offered):
            name = Project.objects.filter(pk=chosen).values_list("name", flat=True).first()
            offered.append((chosen, name or chosen))
        return offered


def with_project_names(rows: QuerySet[Any]) -> Any:
    """Annotate rows that have a `project_id` with the `project_name` in force."""
    names = Project.objects.filter(pk=OuterRef("project_id")).values("name")
    return rows.annotate(project_name=Subquery(names[:1]))
