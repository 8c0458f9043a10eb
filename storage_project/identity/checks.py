"""Start-up checks: no view without a policy, no policy without a rule."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.core import checks
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.views import APIView

from storage_project.identity.policy import POLICY, PolicyPermission


@checks.register(checks.Tags.security)
def check_policies(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Report every method and action of a view whose policy key is missing or unknown."""
    return [
        checks.Error(problem, obj=view, id="identity.E001")
        for view in sorted(
            set(_list_views(get_resolver().url_patterns)), key=lambda cls: cls.__name__
        )
        for problem in _list_problems(view)
    ]


def _list_views(patterns: Sequence[URLPattern | URLResolver]) -> Iterator[type[APIView]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _list_views(pattern.url_patterns)
            continue
        view = getattr(pattern.callback, "cls", None)
        if view is not None and issubclass(view, APIView):
            yield view


def _list_problems(view: Any) -> Iterator[str]:
    """A view with permission classes of its own choice answers for itself."""
    if PolicyPermission not in view.permission_classes:
        return
    policies = getattr(view, "policies", {})
    keys = {action.name: action.policy for action in getattr(view, "actions", ())}
    if not keys:
        methods = [name.upper() for name in view.http_method_names if hasattr(view, name)]
        keys = {name: policies.get(name) for name in methods if name not in {"OPTIONS", "HEAD"}}
    for name, key in keys.items():
        if key is None:
            yield f"{name} has no policy."
        elif key not in POLICY:
            yield f"{name} has the policy {key!r}, which the table does not know."
