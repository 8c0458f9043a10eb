"""Finding rows by the beginning of an id, as people copy it from a log line."""

import re
from typing import Any
from uuid import UUID

from django.db.models import Q

FEWEST_DIGITS = 4
HEX_DIGITS = re.compile(r"[0-9a-f]*")


def id_range(text: str) -> tuple[UUID, UUID] | None:
    """The first and the last UUID that begin with `text`; None when it does not look like one."""
    digits = text.strip().lower().replace("-", "")
    if not FEWEST_DIGITS <= len(digits) <= 32 or not HEX_DIGITS.fullmatch(digits):
        return None
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


def begins_with(fields: tuple[str, ...], text: str) -> Q | None:
    """The condition that one of the UUID `fields` begins with `text`; it can use their indexes."""
    ids = id_range(text)
    if ids is None:
        return None
    conditions: list[tuple[str, Any]] = [(f"{field}__range", ids) for field in fields]
    return Q(*conditions, _connector=Q.OR)
