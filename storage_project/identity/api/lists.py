"""Lists as Keystone has them: filtered, by name, a page at a time."""

from typing import Any, TypeVar

import django_filters
from django.db.models import Model, QuerySet

from storage_project.api.faults import BadRequest
from storage_project.api.filters import BooleanFilter, ListFilter, TextFilter
from storage_project.api.gates import named
from storage_project.api.paging import MAX_LIMIT, Page, next_address, read_number
from storage_project.api.requests import ResourceRequest
from storage_project.identity.models import DEFAULT_DOMAIN

Row = TypeVar("Row", bound=Model)


class OnlyFilter(django_filters.CharFilter):
    """A property that everything here has in common: all rows match its value, none another."""

    def __init__(self, value: str | None = None) -> None:
        super().__init__()
        self.value = value

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        return qs if value == self.value else qs.none()


class ProjectFilter(ListFilter):
    name = TextFilter()
    enabled = BooleanFilter()
    domain_id = OnlyFilter(DEFAULT_DOMAIN)
    parent_id = OnlyFilter(DEFAULT_DOMAIN)


class UserFilter(ListFilter):
    name = TextFilter()
    enabled = BooleanFilter()
    domain_id = OnlyFilter(DEFAULT_DOMAIN)


class RoleFilter(ListFilter):
    name = TextFilter()
    domain_id = OnlyFilter()


class AssignmentFilter(ListFilter):
    user = named("user.id", TextFilter("user_id"))
    role = named("role.id", TextFilter("role_id"))
    project = named("scope.project.id", TextFilter("project_id"))
    group = named("group.id", OnlyFilter())
    domain = named("scope.domain.id", OnlyFilter())
    system = named("scope.system", OnlyFilter())
    inherited = named("scope.OS-INHERIT:inherited_to", OnlyFilter())


def paginate_by_name(rows: QuerySet[Row], request: ResourceRequest) -> Page[Row]:
    """The page that `limit` and `marker` ask for, in the order of names, which are unique."""
    limit: int = min(read_number(request.query_params, "limit", default=0) or MAX_LIMIT, MAX_LIMIT)
    if marker := request.query_params.get("marker"):
        last_name = rows.filter(pk=marker).values_list("name", flat=True).first()
        if last_name is None:
            raise BadRequest(f"marker {marker[:64]} could not be found.")
        rows = rows.filter(name__gt=last_name)
    found = [*rows.order_by("name")[: limit + 1]]
    if len(found) <= limit:
        return Page(found)
    found.pop()
    return Page(found, links=[{"rel": "next", "href": next_address(request, found[-1].pk)}])
