"""Whoever acts in the console, as the services know callers."""

from django.http import HttpRequest

from storage_project.identity.caller import Caller
from storage_project.identity.models import User


def caller_of(request: HttpRequest) -> Caller:
    """The signed-in operator, who acts as an administrator and for no project."""
    assert isinstance(request.user, User)
    return Caller(
        user_id=request.user.pk,
        user_name=request.user.name,
        project_id=None,
        project_name=None,
        roles=frozenset({"admin"}),
        request_id=request.request_id,  # type: ignore[attr-defined]  # by RequestIdMiddleware
    )
