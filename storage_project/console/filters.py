"""List filters whose choices are known without asking the rows."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest


class WordFilter(admin.SimpleListFilter):
    """One of `words()`, compared with the column called `parameter_name`.

    Django's own filter of a text column finds its choices by a DISTINCT over all rows.
    """

    parameter_name: str

    def words(self) -> list[str]:
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word, word) for word in self.words()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return queryset.filter(**{self.parameter_name: chosen}) if chosen else queryset
