"""How users, projects, roles, assignments and tokens look in Identity v3."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers

from storage_project.api.links import base_url
from storage_project.api.paging import Page
from storage_project.api.representation import Representation
from storage_project.api.requests import ResourceRequest
from storage_project.identity import selectors
from storage_project.identity.catalog import build_catalog, identity_url
from storage_project.identity.models import DEFAULT_DOMAIN, RoleAssignment, Token

# Users and projects all live in this one.
DOMAIN = {"id": DEFAULT_DOMAIN, "name": "Default"}


def self_link(request: ResourceRequest, plural: str, row_id: str) -> dict[str, str]:
    return {"self": f"{identity_url(request)}/{plural}/{row_id}"}


def wrap_list(
    plural: str, shown: list[dict[str, Any]], request: ResourceRequest, following: str | None = None
) -> dict[str, Any]:
    """A list in Keystone's envelope, with the address of the `following` page, if any."""
    own = f"{base_url(request)}{request.get_full_path()}"
    return {plural: shown, "links": {"self": own, "previous": None, "next": following}}


class IdentityRepresentation(Representation):
    """Lists and links in Keystone's form; and what Keystone shows although nothing differs here."""

    links = serializers.SerializerMethodField()

    def get_links(self, row: Any) -> dict[str, str]:
        return self_link(self.request, self.plural, row.pk)

    def get_null(self, row: Any) -> None:
        return None

    def get_false(self, row: Any) -> bool:
        return False

    def get_no_tags(self, row: Any) -> list[str]:
        return []

    def get_no_options(self, row: Any) -> dict[str, Any]:
        return {}

    @classmethod
    def show_list(cls, rows: Iterable[Any] | Page[Any], request: ResourceRequest) -> dict[str, Any]:
        following = rows.links[0]["href"] if isinstance(rows, Page) and rows.links else None
        return wrap_list(cls.plural, cls.render_many(rows, request), request, following)


class ProjectRepresentation(IdentityRepresentation):
    envelope, plural = "project", "projects"

    id = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    enabled = serializers.BooleanField()
    domain_id = serializers.CharField()
    parent_id = serializers.CharField(source="domain_id")
    is_domain = serializers.SerializerMethodField("get_false")
    tags = serializers.SerializerMethodField("get_no_tags")
    options = serializers.SerializerMethodField("get_no_options")


class UserRepresentation(IdentityRepresentation):
    envelope, plural = "user", "users"

    id = serializers.CharField()
    name = serializers.CharField()
    email = serializers.CharField()
    description = serializers.CharField()
    enabled = serializers.BooleanField()
    default_project_id = serializers.CharField()
    domain_id = serializers.CharField()
    password_expires_at = serializers.SerializerMethodField("get_null")
    options = serializers.SerializerMethodField("get_no_options")


class RoleRepresentation(IdentityRepresentation):
    envelope, plural = "role", "roles"

    id = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    domain_id = serializers.SerializerMethodField("get_null")
    options = serializers.SerializerMethodField("get_no_options")


class AssignmentRepresentation(IdentityRepresentation):
    plural = "role_assignments"

    role = serializers.SerializerMethodField()
    user = serializers.SerializerMethodField()
    scope = serializers.SerializerMethodField()

    def get_role(self, held: RoleAssignment) -> dict[str, Any]:
        return {"id": held.role_id}

    def get_user(self, held: RoleAssignment) -> dict[str, Any]:
        return {"id": held.user_id}

    def get_scope(self, held: RoleAssignment) -> dict[str, Any]:
        return {"project": {"id": held.project_id}}

    def get_links(self, held: RoleAssignment) -> dict[str, str]:
        path = f"projects/{held.project_id}/users/{held.user_id}/roles/{held.role_id}"
        return {"assignment": f"{identity_url(self.request)}/{path}"}


class NamedAssignmentRepresentation(AssignmentRepresentation):
    """The same with names beside the ids."""

    def get_role(self, held: RoleAssignment) -> dict[str, Any]:
        return {"id": held.role_id, "name": held.role.name}

    def get_user(self, held: RoleAssignment) -> dict[str, Any]:
        return {"id": held.user_id, "name": held.user.name, "domain": DOMAIN}

    def get_scope(self, held: RoleAssignment) -> dict[str, Any]:
        project = {"id": held.project_id, "name": held.project.name, "domain": DOMAIN}
        return {"project": project}


def show_token(token: Token, request: ResourceRequest, *, with_catalog: bool) -> dict[str, Any]:
    """A token without its secret, which goes in a header."""
    shown: dict[str, Any] = {
        "methods": token.methods,
        "user": {
            "id": token.user_id,
            "name": token.user.name,
            "domain": DOMAIN,
            "password_expires_at": None,
        },
        "audit_ids": token.audit_ids,
        "issued_at": show_time_with_zone(token.issued_at),
        "expires_at": show_time_with_zone(token.expires_at),
    }
    if token.project is not None:
        shown["project"] = {
            "id": token.project.pk,
            "name": token.project.name,
            "domain": DOMAIN,
        }
        shown["is_domain"] = False
        shown["roles"] = [
            {"id": role.pk, "name": role.name}
            for role in selectors.list_held_roles(
                user_id=token.user_id, project_id=token.project.pk
            )
        ]
    if with_catalog:
        shown["catalog"] = build_catalog(request, project_id=token.project_id)
    return shown


def show_time_with_zone(time: datetime) -> str:
    """Identity v3 ends its times in Z, unlike the block storage API."""
    return f"{time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
