from dataclasses import dataclass
from typing import Any

import pytest
from rest_framework.test import APIClient

from storage_project.identity.models import Project, Role, User
from storage_project.identity.services import (
    create_project,
    create_user,
    grant_role,
    issue_token,
)

PASSWORD = "correct horse"


class JSONClient(APIClient):
    default_format = "json"


@dataclass(frozen=True)
class Account:
    """A user with one role on a project of its own, and a token for it."""

    user: User
    project: Project
    secret: str

    @property
    def client(self) -> JSONClient:
        return JSONClient(HTTP_X_AUTH_TOKEN=self.secret)


@pytest.fixture(autouse=True)
def _cheap_hashing(settings: Any) -> None:
    """Scrypt is meant to be slow. Tests of passwords choose it again."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def give_role(user: User, project: Project, name: str) -> None:
    # A test with real transactions before this one may have emptied the table.
    role, _ = Role.objects.get_or_create(name=name)
    grant_role(user=user, project=project, role=role)


def make_account(name: str, role: str) -> Account:
    project = create_project(name=name)
    user = create_user(name=name, password=PASSWORD, default_project=project)
    give_role(user, project, role)
    secret, _ = issue_token(user=user, project=project, methods=["password"])
    return Account(user, project, secret)


@pytest.fixture
def admin(db: None) -> Account:
    return make_account("admin", "admin")


@pytest.fixture
def demo(db: None) -> Account:
    return make_account("demo", "member")


def sign_in_body(
    *,
    name: str = "demo",
    password: str = PASSWORD,
    scope: object = None,
    domain: dict[str, str] | None = None,
) -> dict[str, Any]:
    user = {"name": name, "domain": domain or {"id": "default"}, "password": password}
    body: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
    if scope is not None:
        body["scope"] = scope
    return {"auth": body}
