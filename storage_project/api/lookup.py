"""Finding one row by the id in an address."""

from typing import TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

from storage_project.api.faults import NotFound

Row = TypeVar("Row", bound=Model)


def get_by_uuid(rows: QuerySet[Row], kind: str, name: UUID | str) -> Row:
    """The row of `rows` with this id. `NotFound` for an unknown one, and for what is no UUID."""
    try:
        uuid = name if isinstance(name, UUID) else UUID(name)
    except ValueError:
        raise NotFound(kind, name) from None
    found = rows.filter(pk=uuid).first()
    if found is None:
        raise NotFound(kind, name)
    return found
