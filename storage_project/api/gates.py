"""Gates: from which microversion, and for whom, a field exists. Declared next to the field.

    group_id = since("3.13", serializers.UUIDField())
    host = admin_only(named("os-vol-host-attr:host", serializers.CharField()))

The same marks serve what we show (`Representation`) and what we read (`Body`).
"""

from typing import Any, NamedTuple, TypeVar

from rest_framework.fields import Field

from storage_project.api.versions import MAX, MIN, Microversion

AnyField = TypeVar("AnyField", bound=Field[Any, Any, Any, Any])


class Gate(NamedTuple):
    """A field is there from `since` up to, not including, `until`."""

    since: Microversion = MIN
    until: Microversion = Microversion(MAX.major + 1, 0)
    admin_only: bool = False

    def admits(self, version: Microversion, *, is_admin: bool) -> bool:
        return self.since <= version < self.until and (is_admin or not self.admin_only)


OPEN = Gate()


def gate_of(field: Field[Any, Any, Any, Any]) -> Gate:
    return getattr(field, "gate", OPEN)


def _mark(field: AnyField, gate: Gate) -> AnyField:
    field.gate = gate  # type: ignore[attr-defined]
    return field


def since(version: str, field: AnyField) -> AnyField:
    """The field exists from this microversion on."""
    return _mark(field, gate_of(field)._replace(since=Microversion.parse(version)))


def until(version: str, field: AnyField) -> AnyField:
    """The field is gone from this microversion on."""
    return _mark(field, gate_of(field)._replace(until=Microversion.parse(version)))


def admin_only(field: AnyField) -> AnyField:
    """Only administrators see the field."""
    return _mark(field, gate_of(field)._replace(admin_only=True))


def named(name: str, field: AnyField) -> AnyField:
    """Give the field a name in JSON that Python cannot spell, as "os-vol-host-attr:host"."""
    field.json_name = name  # type: ignore[attr-defined]
    return field


def json_name(attribute: str, field: Field[Any, Any, Any, Any]) -> str:
    return getattr(field, "json_name", attribute)
