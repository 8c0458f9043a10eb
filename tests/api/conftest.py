from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from storage_project.identity.caller import Caller
from storage_project.identity.models import User
from tests.api.crates import Crate

PROJECT = "a" * 32
OTHER_PROJECT = "b" * 32


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The project's tables and, beside them, that of the test's own resource."""
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        editor.create_model(Crate)
    yield
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        editor.delete_model(Crate)


@pytest.fixture(autouse=True)
def _crate_addresses(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.api.crates"


def make_caller(*roles: str, project_id: str | None = PROJECT) -> Caller:
    return Caller(
        user_id="c" * 32,
        user_name="ann",
        project_id=project_id,
        project_name="orchard",
        roles=frozenset(roles),
        request_id="req-test",
    )


@pytest.fixture
def client_for() -> Callable[..., APIClient]:
    """A client that is already known to be somebody with these roles."""

    def make(*roles: str, project_id: str | None = PROJECT, **defaults: str) -> APIClient:
        client = APIClient(**defaults)
        caller = make_caller(*roles, project_id=project_id)
        client.force_authenticate(User(id=caller.user_id, name=caller.user_name), token=caller)
        return client

    return make


@pytest.fixture
def member(client_for: Callable[..., APIClient]) -> APIClient:
    return client_for("member")


@pytest.fixture
def admin(client_for: Callable[..., APIClient]) -> APIClient:
    return client_for("admin")


@pytest.fixture
def anyone() -> APIClient:
    """A client without credentials."""
    return APIClient()
