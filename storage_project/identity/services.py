"""Changes to users, projects, roles and tokens. Each service is one transaction."""

import secrets
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed

from storage_project.api.faults import Conflict, Forbidden
from storage_project.identity.models import Project, Role, RoleAssignment, Token, User
from storage_project.identity.passwords import verify_password
from storage_project.identity.policy import ROLES
from storage_project.identity.tokens import digest_secret, make_secret

# Said of a project that does not exist, too.
NO_ACCESS = "The user has no access to this project."

log = structlog.get_logger(__name__)


def create_user(
    *,
    name: str,
    password: str | None = None,
    email: str = "",
    description: str = "",
    enabled: bool = True,
    is_staff: bool = False,
    default_project: Project | None = None,
) -> User:
    """Make a user; one without a password cannot sign in. Conflict if the name is taken."""
    user = User(
        name=name,
        email=email,
        description=description,
        enabled=enabled,
        is_staff=is_staff,
        default_project=default_project,
    )
    user.set_password(password)
    _insert(user)
    log.info("user created", user_id=user.pk)
    return user


def update_user(*, user: User, password: str | None = None, **changes: Any) -> User:
    """Set fields of a user. A new password, or disabling, revokes all tokens of the user.

    Conflict if the new name is taken.
    """
    if password is not None:
        user.set_password(password)
        changes["password"] = user.password
    with transaction.atomic():
        _update(user, changes)
        if password is not None or changes.get("enabled") is False:
            revoke_tokens(user=user)
    log.info("user changed", user_id=user.pk, fields=sorted(changes))
    return user


def change_password(*, user: User, original: str, password: str, address: str) -> None:
    """Change a user's password for somebody who knows the present one, as `verify_password`."""
    verify_password(user_id=user.pk, password=original, address=address)
    update_user(user=user, password=password)


def delete_user(*, user: User) -> None:
    """Delete a user with its tokens and assignments. What it made stays with the projects."""
    log.info("user deleted", user_id=user.pk)
    user.delete()


def ensure_user(
    *,
    name: str,
    password: str,
    is_staff: bool = False,
    default_project: Project | None = None,
) -> User:
    """Return the enabled user with this name and password, made or set right as needed."""
    user = User.objects.filter(name=name).first()
    if user is None:
        return create_user(
            name=name, password=password, is_staff=is_staff, default_project=default_project
        )
    return update_user(
        user=user,
        password=None if user.check_password(password) else password,
        enabled=True,
        is_staff=is_staff,
        default_project=default_project,
    )


def create_project(*, name: str, description: str = "", enabled: bool = True) -> Project:
    """Make a project. Conflict if the name is taken."""
    project = Project(name=name, description=description, enabled=enabled)
    _insert(project)
    log.info("project created", project_id=project.pk)
    return project


def update_project(*, project: Project, **changes: Any) -> Project:
    """Set fields of a project. Disabling revokes all tokens for it. Conflict if a name is taken."""
    with transaction.atomic():
        _update(project, changes)
        if changes.get("enabled") is False:
            revoke_tokens(project=project)
    log.info("project changed", project_id=project.pk, fields=sorted(changes))
    return project


def delete_project(*, project: Project) -> None:
    """Delete a project with its tokens and assignments.

    Its volumes stay, under an id that nobody can act for; an administrator sees them with
    all_tenants. So does Keystone, which does not know what other services keep for a project.
    """
    log.info("project deleted", project_id=project.pk)
    project.delete()


def ensure_project(*, name: str, description: str = "") -> Project:
    """Return the project with this name, made if there is none."""
    project, _ = Project.objects.get_or_create(name=name, defaults={"description": description})
    return project


def create_role(*, name: str, description: str = "") -> Role:
    """Make a role that only other services give a meaning to. Conflict if the name is taken."""
    role = Role(name=name, description=description)
    _insert(role)
    return role


def update_role(*, role: Role, **changes: Any) -> Role:
    """Set fields of a role. Forbidden to rename one that the policy knows."""
    if changes.get("name", role.name) != role.name:
        _refuse_for_known_role(role)
    _update(role, changes)
    return role


def delete_role(*, role: Role) -> None:
    """Delete a role and take it from everybody. Forbidden for one that the policy knows."""
    _refuse_for_known_role(role)
    role.delete()


def grant_role(*, user: User, project: Project, role: Role) -> None:
    """Let a user hold a role on a project. No change if that is so already."""
    RoleAssignment.objects.get_or_create(user=user, project=project, role=role)
    log.info("role granted", user_id=user.pk, project_id=project.pk, role=role.name)


def withdraw_role(*, assignment: RoleAssignment) -> None:
    """Take a role on a project from a user, at once also from the tokens in use."""
    log.info(
        "role withdrawn",
        user_id=assignment.user_id,
        project_id=assignment.project_id,
        role_id=assignment.role_id,
    )
    assignment.delete()


def issue_token(
    *, user: User, project: Project | None, methods: list[str], parent: Token | None = None
) -> tuple[str, Token]:
    """Return the secret of a new token, which is shown this once, and its row.

    A token made from another ends when that one does: nobody prolongs a sign-in without the
    password. AuthenticationFailed if the user holds no role on the project, or it is disabled.
    """
    if project is not None and not (
        project.enabled and RoleAssignment.objects.filter(user=user, project=project).exists()
    ):
        raise AuthenticationFailed(NO_ACCESS)
    now = timezone.now()
    lifetime = timedelta(seconds=settings.TOKEN_LIFETIME_S)
    secret = make_secret()
    token = Token.objects.create(
        digest=digest_secret(secret),
        user=user,
        project=project,
        methods=methods,
        audit_ids=[secrets.token_urlsafe(16), *(parent.audit_ids[-1:] if parent else [])],
        issued_at=now,
        expires_at=parent.expires_at if parent else now + lifetime,
    )
    return secret, token


def revoke_token(*, token: Token) -> None:
    """End a token now."""
    Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())


def revoke_tokens(**whose: User | Project) -> None:
    """End all tokens of `user=…`, or for `project=…`, now."""
    Token.objects.filter(revoked_at=None, **whose).update(revoked_at=timezone.now())


def _insert(row: User | Project | Role) -> None:
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise _name_taken(row) from error


def _update(row: User | Project | Role, changes: dict[str, Any]) -> None:
    for field, value in changes.items():
        setattr(row, field, value)
    try:
        with transaction.atomic():
            row.save(update_fields=changes.keys())
    except IntegrityError as error:
        raise _name_taken(row) from error


def _name_taken(row: User | Project | Role) -> Conflict:
    return Conflict(f"There is a {row._meta.verbose_name} with the name {row.name!r} already.")


def _refuse_for_known_role(role: Role) -> None:
    if role.name in ROLES:
        raise Forbidden(f"The role {role.name!r} is part of the policy and cannot be changed.")
