"""Gates: from which microversion, and for whom, something exists. Declared next to it.

    group_id = since("3.13", serializers.UUIDField())
    host = admin_only(named("os-vol-host-attr:host", serializers.CharField()))

The same marks serve the fields of what we show (`Representation`) and of what we read (`Body`),
and the filters of a list (`ListFilter`).
"""

from collections.abc import MutableMapping
from typing import Any, NamedTuple, TypeVar

from storage_project.api.versions import MAX, MIN, Microversion

Marked = TypeVar("Marked")


class Gate(NamedTuple):
    """Something is there from `since` up to, not including, `until`."""

    since: Microversion = MIN
    until: Microversion = Microversion(MAX.major + 1, 0)
    admin_only: bool = False

    def __str__(self) -> str:
        """As in "This field is for microversions from 3.13 on, administrators only."."""
        ends = f" to before {self.until}" if self.until.major == MAX.major else " on"
        admins = ", administrators only" if self.admin_only else ""
        return f"microversions from {self.since}{ends}{admins}"

    def admits(self, version: Microversion, *, is_admin: bool) -> bool:
        return self.since <= version < self.until and (is_admin or not self.admin_only)


OPEN = Gate()


def gate_of(thing: object) -> Gate:
    return getattr(thing, "gate", OPEN)


def mark(thing: Marked, gate: Gate) -> Marked:
    thing.gate = gate  # type: ignore[attr-defined]
    return thing


def since(version: str, thing: Marked) -> Marked:
    """It exists from this microversion on."""
    return mark(thing, gate_of(thing)._replace(since=Microversion.parse(version)))


def until(version: str, thing: Marked) -> Marked:
    """It is gone from this microversion on."""
    return mark(thing, gate_of(thing)._replace(until=Microversion.parse(version)))


def admin_only(thing: Marked) -> Marked:
    """It exists for administrators only."""
    return mark(thing, gate_of(thing)._replace(admin_only=True))


def named(name: str, thing: Marked) -> Marked:
    """Give it a name outside that Python cannot spell, as "os-vol-host-attr:host"."""
    thing.outer_name = name  # type: ignore[attr-defined]
    return thing


def outer_name(thing: object, attribute: str) -> str:
    return getattr(thing, "outer_name", attribute)


def rename_fields(fields: MutableMapping[str, Any]) -> None:
    """Put a serializer's declared fields under their outer names.

    The attribute's own name becomes the source of the value.
    """
    renamed = {}
    for attribute, field in fields.items():
        name = outer_name(field, attribute)
        if name != attribute and field.source is None:
            field.source = attribute
        renamed[name] = field
    fields.clear()
    fields.update(renamed)
