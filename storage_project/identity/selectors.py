"""Reads of users, projects, roles and tokens, each limited to what its caller may know of."""

from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from storage_project.api.faults import NotFound
from storage_project.identity.caller import Caller
from storage_project.identity.models import Project, Role, RoleAssignment, Token, User
from storage_project.identity.policy import allows
from storage_project.identity.tokens import digest_secret, find_token_holder

Row = TypeVar("Row", bound=Model)


def visible_projects(caller: Caller) -> QuerySet[Project]:
    """The projects a caller may know of: those with a role of theirs; all, for an admin."""
    if allows(caller, "identity:see_all"):
        return Project.objects.all()
    return Project.objects.filter(assignments__user_id=caller.user_id).distinct()


def get_project(caller: Caller, project_id: str) -> Project:
    return _get(visible_projects(caller), "Project", project_id)


def find_project(*, project_id: str = "", name: str = "") -> Project | None:
    """Return a project by id, or else by name, for whoever asks."""
    wanted = Q(pk=project_id) if project_id else Q(name=name)
    return Project.objects.filter(wanted).first()


def list_user_projects(user: User) -> QuerySet[Project]:
    """The enabled projects where a user holds a role."""
    return Project.objects.filter(enabled=True, assignments__user=user).distinct()


def visible_users(caller: Caller) -> QuerySet[User]:
    """The users a caller may know of: itself; all, for an admin."""
    if allows(caller, "identity:see_all"):
        return User.objects.all()
    return User.objects.filter(pk=caller.user_id)


def get_user(caller: Caller, user_id: str) -> User:
    return _get(visible_users(caller), "User", user_id)


def user_exists(name: str) -> bool:
    """Whether a user of this name was ever made and not deleted."""
    return User.objects.filter(name=name).exists()


def list_roles() -> QuerySet[Role]:
    return Role.objects.all()


def get_role(role_id: str) -> Role:
    return _get(Role.objects.all(), "Role", role_id)


def list_held_roles(*, user_id: str, project_id: str) -> QuerySet[Role]:
    """The roles that a user holds on a project."""
    return Role.objects.filter(assignments__user_id=user_id, assignments__project_id=project_id)


def visible_assignments(caller: Caller) -> QuerySet[RoleAssignment]:
    """The assignments a caller may know of: its own; all, for an admin. Named in one query."""
    assignments = RoleAssignment.objects.select_related("user", "project", "role").order_by("pk")
    if allows(caller, "identity:see_all"):
        return assignments
    return assignments.filter(user_id=caller.user_id)


def get_assignment(
    caller: Caller, *, project_id: str, user_id: str, role_id: str
) -> RoleAssignment:
    """Return one assignment; NotFound names the role, which the user does not hold there."""
    held = visible_assignments(caller).filter(project_id=project_id, user_id=user_id)
    return _get(held, "Role assignment", role_id, field="role_id")


def find_token(secret: str, *, request_id: str) -> Token | None:
    """Return the row of a token that is valid by the check that requests pass, or None."""
    if find_token_holder(secret, request_id=request_id) is None:
        return None
    digest = digest_secret(secret)
    return Token.objects.select_related("user", "project").filter(digest=digest).first()


def _get(rows: QuerySet[Row], kind: str, row_id: str, *, field: str = "pk") -> Row:
    row = rows.filter(**{field: row_id}).first()
    if row is None:
        raise NotFound(kind, row_id)
    return row
