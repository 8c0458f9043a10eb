"""Where a user may act, and as whom a request of theirs is handled."""

from dataclasses import dataclass

from storage_project.identity.caller import Caller
from storage_project.identity.models import RoleAssignment, User


@dataclass(frozen=True, slots=True)
class Membership:
    """The roles that a user holds on one enabled project."""

    project_id: str
    project_name: str
    roles: frozenset[str]

    @property
    def sorted_roles(self) -> list[str]:
        return sorted(self.roles)


def list_memberships(user: User) -> list[Membership]:
    """Return where a user may act, by project name. One query."""
    rows = (
        RoleAssignment.objects.filter(user=user, project__enabled=True)
        .order_by("project__name")
        .values_list("project_id", "project__name", "role__name")
    )
    roles: dict[tuple[str, str], set[str]] = {}
    for project_id, project_name, role in rows:
        roles.setdefault((project_id, project_name), set()).add(role)
    return [
        Membership(project_id, project_name, frozenset(names))
        for (project_id, project_name), names in roles.items()
    ]


def choose_membership(
    user: User, memberships: list[Membership], *, wanted: str | None = None
) -> Membership | None:
    """Return the membership to act with: the wanted project's, else the default one's, else the
    only one. None when that leaves a choice or nothing.
    """
    by_project = {membership.project_id: membership for membership in memberships}
    for project_id in (wanted, user.default_project_id):
        if project_id in by_project:
            return by_project[project_id]
    return memberships[0] if len(memberships) == 1 else None


def build_caller(user: User, membership: Membership | None, *, request_id: str) -> Caller:
    return Caller(
        user_id=user.pk,
        user_name=user.name,
        project_id=membership.project_id if membership else None,
        project_name=membership.project_name if membership else None,
        roles=membership.roles if membership else frozenset(),
        request_id=request_id,
    )
