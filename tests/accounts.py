"""Users who are signed in, for tests that speak HTTP."""

from dataclasses import dataclass
from typing import Any

from rest_framework.test import APIClient

from storage_project.identity.caller import Caller
from storage_project.identity.models import Project, Role, User
from storage_project.identity.services import grant_role, issue_token
from tests.factories import ProjectFactory, UserFactory


@dataclass(frozen=True)
class Account:
    """A user with roles on a project, and a token for it."""

    user: User
    project: Project
    roles: frozenset[str]
    secret: str

    @property
    def caller(self) -> Caller:
        """What the authentication makes of the token."""
        return Caller(
            user_id=self.user.pk,
            user_name=self.user.name,
            project_id=self.project.pk,
            project_name=self.project.name,
            roles=self.roles,
            request_id="req-test",
        )

    def client(self, microversion: str = "3.71", **headers: str) -> APIClient:
        """A client that sends the token, and JSON unless told otherwise."""
        client = APIClient(
            HTTP_X_AUTH_TOKEN=self.secret,
            HTTP_OPENSTACK_API_VERSION=f"volume {microversion}",
            **headers,
        )
        client.default_format = "json"
        return client


def open_account(*roles: str, project: Project | None = None, **user: Any) -> Account:
    """Make a user with these roles, on a project of its own unless one is given."""
    project = project or ProjectFactory()
    member = UserFactory(**user)
    for name in roles:
        # A test with real transactions before this one may have emptied the table.
        role, _ = Role.objects.get_or_create(name=name)
        grant_role(user=member, project=project, role=role)
    secret, _ = issue_token(user=member, project=project, methods=["password"])
    return Account(member, project, frozenset(roles), secret)
