"""Filters of lists, from query parameters; unknown parameters are ignored, as clients expect.

class VolumeFilter(ListFilter):
    name = TextFilter()
    name_like = since("3.34", named("name~", TextFilter("name", lookup_expr="icontains")))
    bootable = BooleanFilter()
    created_at = since("3.60", TimeFilter())
    metadata = MappingFilter()

volumes = VolumeFilter.apply(volumes, request)
"""

import ast
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import django_filters
import orjson
from django import forms
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField as BooleanColumn
from django.db.models import Func, Model, QuerySet, Value
from django.db.models.sql.compiler import SQLCompiler

from storage_project.api.faults import BadRequest
from storage_project.api.gates import gate_of, outer_name
from storage_project.api.input_fields import read_boolean
from storage_project.api.parameters import read_flag
from storage_project.api.requests import ResourceRequest

Row = TypeVar("Row", bound=Model)


def wants_all_projects(request: ResourceRequest) -> bool:
    """Whether the list spans all projects: `all_tenants` is set and the caller may ask for it.

    Others see their own project whatever they say, as clients expect.
    """
    return read_flag(request, "all_tenants") and request.auth.is_admin


class BooleanField(forms.CharField):
    def clean(self, value: Any) -> bool | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return read_boolean(text)
        except ValueError:
            raise forms.ValidationError("must be a boolean.") from None


class TimeComparisonField(forms.CharField):
    """ "gt:2026-01-02T03:04:05,lte:2026-02-02T00:00:00" as [("gt", …), ("lte", …)]."""

    operators = ("gt", "gte", "eq", "neq", "lt", "lte")

    def clean(self, value: Any) -> list[tuple[str, datetime]]:
        return [self.clean_part(part) for part in super().clean(value).split(",") if part]

    def clean_part(self, part: str) -> tuple[str, datetime]:
        operator, colon, text = part.strip().partition(":")
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            time = None
        if operator not in self.operators or not colon or time is None:
            raise forms.ValidationError(
                f"must be like gt:2026-01-02T03:04:05, with one of {', '.join(self.operators)}."
            )
        return operator, time if time.tzinfo else time.replace(tzinfo=UTC)


class MappingField(forms.CharField):
    """A mapping of strings, in JSON or, as cinderclient sends it, as Python writes it."""

    def clean(self, value: Any) -> dict[str, str]:
        text = super().clean(value)
        if not text:
            return {}
        try:
            mapping = orjson.loads(text)
        except orjson.JSONDecodeError:
            mapping = self.read_python(text)
        if not isinstance(mapping, dict):
            raise forms.ValidationError("must be a mapping.")
        return {str(key): str(item) for key, item in mapping.items()}

    def read_python(self, text: str) -> Any:
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            return None


class TextFilter(django_filters.CharFilter):
    """Equal to the text."""


class BooleanFilter(django_filters.Filter):
    """True, 1, "yes" and their opposites."""

    field_class = BooleanField


class IntegerFilter(django_filters.Filter):
    """Equal to the whole number."""

    field_class = forms.IntegerField


class IdFilter(django_filters.CharFilter):
    """Equal to the UUID; what is not a UUID is the id of nothing."""

    def filter(self, qs: QuerySet[Row], value: str) -> QuerySet[Row]:
        if not value:
            return qs
        try:
            return super().filter(qs, UUID(value))
        except ValueError:
            return qs.none()


class TimeFilter(django_filters.Filter):
    """Compared with one or several times: `gt:…,lte:…`."""

    field_class = TimeComparisonField

    def filter(self, qs: QuerySet[Row], value: list[tuple[str, datetime]]) -> QuerySet[Row]:
        for operator, time in value or ():
            if operator == "neq":
                qs = qs.exclude(**{self.field_name: time})
            else:
                lookup = "exact" if operator == "eq" else operator
                qs = qs.filter(**{f"{self.field_name}__{lookup}": time})
        return qs


class HasPair(Func):
    """Whether a JSON object has this text under this key. Any key: Django's own lookups take "0"
    for an index and, on SQLite, stumble over quotes.
    """

    output_field = BooleanColumn()
    form = "({0} ->> {1} = {2})"

    def as_sql(  # type: ignore[override]
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        parts = [compiler.compile(part) for part in self.get_source_expressions()]
        sql = self.form.format(*(sql for sql, _ in parts))
        return sql, tuple(value for _, values in parts for value in values)

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        self.form = "EXISTS (SELECT 1 FROM json_each({0}) WHERE key = {1} AND value = {2})"
        return self.as_sql(compiler, connection, **context)


class MappingFilter(django_filters.Filter):
    """A JSON column that has all these pairs."""

    field_class = MappingField

    def filter(self, qs: QuerySet[Row], value: dict[str, str]) -> QuerySet[Row]:
        for key, item in (value or {}).items():
            qs = qs.filter(HasPair(self.field_name, Value(key), Value(item)))
        return qs


class ListFilter(django_filters.FilterSet):
    """The filters of one list. Only those that a request uses cost anything."""

    @classmethod
    def get_filters(cls) -> dict[str, django_filters.Filter]:
        return {outer_name(item, name): item for name, item in super().get_filters().items()}

    @classmethod
    def apply(cls, queryset: QuerySet[Row], request: ResourceRequest) -> QuerySet[Row]:
        """The rows that the request asks for; 400 for a value that cannot be read."""
        is_admin = getattr(request.auth, "is_admin", False)
        used = {
            name: item
            for name, item in cls.get_filters().items()
            if name in request.query_params
            and gate_of(item).admits(request.microversion, is_admin=is_admin)
        }
        return cls(used, queryset, request).qs if used else queryset

    def __init__(
        self,
        used: dict[str, django_filters.Filter],
        queryset: QuerySet[Any],
        request: ResourceRequest,
    ) -> None:
        self.base_filters = used
        super().__init__(request.query_params, queryset, request=request)

    def filter_queryset(self, queryset: QuerySet[Row]) -> QuerySet[Row]:
        for name, errors in self.errors.items():
            raise BadRequest(f"Query parameter {name}: {errors[0]}")
        return super().filter_queryset(queryset)
