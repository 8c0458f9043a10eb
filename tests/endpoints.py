"""Every endpoint that there is, found in the URL configuration; a new one is found unasked."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from storage_project.api.views import ResourceView

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True)
class Call:
    """One method of one endpoint or, where actions are posted, one action; with a valid body."""

    method: str
    route: str
    view: type[ResourceView]
    policy: str | None
    body: Mapping[str, Any] = field(default_factory=dict, compare=False)
    name: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.route} {self.name}".strip()

    @property
    def parameters(self) -> list[str]:
        """The names in the address."""
        return PARAMETER.findall(self.route)

    @property
    def writes(self) -> bool:
        return self.method in WRITES

    def address(self, values: Mapping[str, Any]) -> str:
        """The address with these values for its names."""
        return "/" + PARAMETER.sub(lambda found: str(values[found[1]]), self.route)


@cache
def list_calls() -> tuple[Call, ...]:
    """All calls of the API, each once: addresses with a project in front repeat the same views."""
    routes = _walk(get_resolver().url_patterns, "")
    return tuple(call for route, view in routes for call in _list_calls_of(route, view))


def _walk(
    patterns: Sequence[URLPattern | URLResolver], prefix: str
) -> Iterator[tuple[str, type[ResourceView]]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if "^" in route:
            continue
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)
            continue
        view = getattr(pattern.callback, "cls", None)
        if view is not None and issubclass(view, ResourceView):
            yield route, view


def _list_calls_of(route: str, view: type[ResourceView]) -> Iterator[Call]:
    if actions := getattr(view, "actions", ()):
        for action in actions:
            yield Call("POST", route, view, action.policy, action.example_document(), action.name)
        return
    for method in view().allowed_methods:
        if method == "HEAD":
            continue
        body = view.bodies.get(method)
        document = body.example_document() if body else {}
        yield Call(method, route, view, view.policies.get(method), document)
