"""UPDATE … RETURNING, which both our databases have and Django's ORM does not."""

from typing import Any, TypeVar, cast

from django.db.models import Model, QuerySet
from django.db.models.sql import UpdateQuery

M = TypeVar("M", bound=Model)


def update_returning(queryset: "QuerySet[M]", **values: Any) -> list[M]:
    """Do `queryset.update(**values)` and return the rows as they are afterwards, in one statement.

    The same statement that wins a race also tells what was won.
    """
    query = cast(UpdateQuery, queryset.query.chain(UpdateQuery))
    query.add_update_values(values)
    sql, params = query.get_compiler(queryset.db).as_sql()
    return list(queryset.model._default_manager.raw(f"{sql} RETURNING *", params))
