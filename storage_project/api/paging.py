"""Pages of a list by keyset: page 1,000 costs what page 1 costs, and no row is seen twice.

    page = paginate(volumes, request, sortable={"name": "name", "size": "size_gib"})

Clients say `limit`, `marker` (the id of the last row they saw), `sort=name:asc,created_at` or the
older `sort_key` and `sort_dir`, `offset`, and `with_count`. Columns that hold nothing sort last.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import F, Model, Q, QuerySet, Subquery
from django.db.models.expressions import OrderBy

from storage_project.api.faults import SHOWN_LENGTH, BadRequest
from storage_project.api.links import base_url
from storage_project.api.parameters import read_flag
from storage_project.api.requests import ResourceRequest
from storage_project.api.versions import Microversion

MAX_LIMIT = 1000
MAX_OFFSET = 2**31 - 1
# From here on a list tells, when asked, how many rows there are on all its pages.
COUNT_SINCE = Microversion(3, 45)
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
NEWEST_FIRST = (("created_at", "desc"), ("id", "desc"))

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Page(Generic[Row]):
    """The rows of one page, the link to the next if there is one, and the count if asked for."""

    rows: Sequence[Row]
    links: list[dict[str, str]] = field(default_factory=list)
    count: int | None = None

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


class SortKey(NamedTuple):
    """One column of the order. Only a nullable one says where nulls go: indexes serve the rest."""

    column: str
    descending: bool
    nullable: bool

    @property
    def order(self) -> OrderBy:
        nulls_last = True if self.nullable else None
        column = F(self.column)
        if self.descending:
            return column.desc(nulls_last=nulls_last)
        return column.asc(nulls_last=nulls_last)

    def after(self, value: Any) -> Q | None:
        """The rows that come strictly after `value`; None when there are none, behind the nulls."""
        if value is None:
            return None
        beyond = Q(**{f"{self.column}__{'lt' if self.descending else 'gt'}": value})
        return beyond | Q(**{f"{self.column}__isnull": True}) if self.nullable else beyond

    def same(self, value: Any) -> Q:
        if value is None:
            return Q(**{f"{self.column}__isnull": True})
        return Q(**{self.column: value})

    def not_before(self, value: Any) -> Q:
        return Q(**{f"{self.column}__{'lte' if self.descending else 'gte'}": value})


def paginate(
    queryset: QuerySet[Row],
    request: ResourceRequest,
    *,
    sortable: Mapping[str, str] | None = None,
    default_sort: Sequence[tuple[str, str]] = NEWEST_FIRST,
    max_limit: int = MAX_LIMIT,
) -> Page[Row]:
    """The page that the request asks for: one query, and one more for a marker or a count.

    `sortable` maps the names that clients may sort by to columns; created_at, updated_at and id
    always are. The queryset must be the caller's whole view: a marker outside of it is refused.
    """
    parameters = request.query_params
    limit = min(read_number(parameters, "limit", default=max_limit), max_limit)
    offset = read_number(parameters, "offset", default=0)
    if offset > MAX_OFFSET:
        raise BadRequest(f"offset must be at most {MAX_OFFSET}.")
    order = read_order(queryset, parameters, sortable or {}, default_sort)
    count = queryset.count() if read_flag(request, "with_count", since=COUNT_SINCE) else None
    if marker := parameters.get("marker"):
        queryset = queryset.filter(beyond_marker(queryset, order, marker))
    if limit == 0:
        return Page([], count=count)
    ordered = queryset.order_by(*(key.order for key in order))
    # One more than asked for tells whether a next page exists.
    rows = list(ordered[offset : offset + limit + 1])
    links = []
    if len(rows) > limit:
        del rows[limit:]
        links.append({"rel": "next", "href": next_address(request, rows[-1].pk)})
    return Page(rows, links, count)


def read_number(parameters: Mapping[str, str], name: str, *, default: int) -> int:
    text = parameters.get(name)
    if text is None:
        return default
    if not NUMBER.fullmatch(text):
        raise BadRequest(f"{name} must be a whole number that is not negative.")
    return int(text)


def read_order(
    queryset: QuerySet[Row],
    parameters: Mapping[str, str],
    sortable: Mapping[str, str],
    default_sort: Sequence[tuple[str, str]],
) -> list[SortKey]:
    """The columns to order by; the last one is the id, so that the order is total."""
    columns = {"created_at": "created_at", "updated_at": "updated_at", "id": "id", **sortable}
    order: list[SortKey] = []
    for name, direction in read_sort(parameters) or default_sort:
        if name not in columns:
            raise BadRequest(f"Cannot sort by {name[:SHOWN_LENGTH]!r}.")
        if direction not in ("asc", "desc"):
            raise BadRequest(f"The direction to sort by {name} must be asc or desc.")
        column = columns[name]
        if all(key.column != column for key in order):
            order.append(SortKey(column, direction == "desc", is_nullable(queryset, column)))
    if all(key.column != "id" for key in order):
        order.append(SortKey("id", order[-1].descending, nullable=False))
    return order


def read_sort(parameters: Mapping[str, str]) -> list[tuple[str, str]]:
    """What `sort`, or else `sort_key` and `sort_dir`, say; empty when they do not."""
    sort = parameters.get("sort")
    keys = parameters.get("sort_key")
    directions = parameters.get("sort_dir")
    if sort is None:
        if keys is None and directions is None:
            return []
        return [(keys or "created_at", directions or "desc")]
    if keys is not None or directions is not None:
        raise BadRequest("sort_key and sort_dir cannot be used together with sort.")
    pairs = (part.strip().partition(":") for part in sort.split(",") if part.strip())
    return [(name.strip(), direction.strip() or "desc") for name, _, direction in pairs]


def is_nullable(queryset: QuerySet[Row], column: str) -> bool:
    """Whether the column may hold nothing; one of another table may, when there is no row."""
    return "__" in column or bool(queryset.model._meta.get_field(column).null)


def beyond_marker(queryset: QuerySet[Row], order: Sequence[SortKey], marker: str) -> Q:
    """The condition for the rows after the marker's: later in the first column, or the same there
    and later in the second, and so on.

    The database compares with its own copy of the marker's values: on SQLite a time is text, and
    the text of `Now()` has fewer digits than what Python makes of it, so as Python's value the
    marker would come before itself.
    """
    try:
        values = queryset.filter(pk=marker).values_list(*(key.column for key in order)).first()
    except (ValidationError, ValueError, OverflowError):
        values = None
    if values is None:
        raise BadRequest(f"marker {marker[:SHOWN_LENGTH]} could not be found.")
    own = queryset.model._default_manager.filter(pk=marker)
    values = [
        None if value is None else Subquery(own.values(key.column))
        for key, value in zip(order, values, strict=True)
    ]
    beyond, same = Q(pk__in=[]), Q()
    for key, value in zip(order, values, strict=True):
        after = key.after(value)
        if after is not None:
            beyond |= same & after
        same &= key.same(value)
    if not order[0].nullable:
        # Says nothing new, but lets an index begin where the page does.
        beyond &= order[0].not_before(values[0])
    return beyond


def next_address(request: ResourceRequest, last: object) -> str:
    """Where a list goes on behind this id."""
    parameters = request.query_params.copy()
    parameters["marker"] = str(last)
    parameters.pop("offset", None)
    return f"{base_url(request)}{request.path}?{parameters.urlencode()}"
