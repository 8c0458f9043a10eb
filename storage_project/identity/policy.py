"""Who may do what: one table, read by the permission class, services and templates.

A key that is not in the table is an error at start (see `checks.py`), never permission. Roles are
those that the caller holds on its project; an admin of any project is an admin of everything, as
in Cinder.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from storage_project.identity.caller import Caller

# The roles that mean something here; admin can do what member can, and member what reader can.
ROLES = frozenset({"admin", "member", "reader", "service"})
_ENOUGH_FOR_READER = frozenset({"reader", "member", "admin"})
_ENOUGH_FOR_MEMBER = frozenset({"member", "admin"})


@dataclass(frozen=True, slots=True)
class Rule:
    """Decides on a caller (None: not signed in) and, where it matters, the user concerned."""

    name: str
    test: Callable[[Caller | None, str | None], bool]


EVERYONE = Rule("everyone, signed in or not", lambda caller, _: True)
SIGNED_IN = Rule("every user", lambda caller, _: caller is not None)
READER = Rule(
    "reader of the project",
    lambda caller, _: caller is not None and not caller.roles.isdisjoint(_ENOUGH_FOR_READER),
)
MEMBER = Rule(
    "member of the project",
    lambda caller, _: caller is not None and not caller.roles.isdisjoint(_ENOUGH_FOR_MEMBER),
)
ADMIN = Rule("admin", lambda caller, _: caller is not None and caller.is_admin)
SERVICE = Rule(
    "another service, or admin",
    lambda caller, _: caller is not None and (caller.is_admin or "service" in caller.roles),
)
SERVICE_FOR_MEMBER = Rule(
    "another service, by itself or with its token beside a user's, or admin",
    lambda caller, _: SERVICE.test(caller, _) or (caller is not None and caller.vouched_for),
)
OWNER = Rule(
    "the user concerned",
    lambda caller, user_id: caller is not None and caller.user_id == user_id,
)
OWNER_OR_ADMIN = Rule(
    "the user concerned, or admin",
    lambda caller, user_id: OWNER.test(caller, user_id) or ADMIN.test(caller, user_id),
)
POLICY: dict[str, Rule] = {
    "volume:list": READER,
    "volume:get": READER,
    "volume:create": MEMBER,
    "volume:update": MEMBER,
    "volume:delete": MEMBER,
    "volume:extend": MEMBER,
    "volume:revert": MEMBER,
    "volume:get_metadata": READER,
    "volume:metadata": MEMBER,
    "volume:force_delete": ADMIN,
    "volume:reset_status": ADMIN,
    "volume:all_tenants": ADMIN,
    "volume:attach": MEMBER,
    "volume:force_detach": ADMIN,
    "attachment:list": READER,
    "attachment:get": READER,
    "attachment:create": MEMBER,
    "attachment:update": MEMBER,
    "attachment:complete": MEMBER,
    "attachment:delete": MEMBER,
    # What a server uses; without it, detaching such is for the service that runs the server.
    "attachment:delete_used": SERVICE_FOR_MEMBER,
    # It lets whoever has it read and write the volume.
    "attachment:get_connection_info": MEMBER,
    "server:list": READER,
    "server:get": READER,
    "server:attach": MEMBER,
    "server:detach": MEMBER,
    "snapshot:list": READER,
    "snapshot:get": READER,
    "snapshot:create": MEMBER,
    "snapshot:update": MEMBER,
    "snapshot:delete": MEMBER,
    "snapshot:get_metadata": READER,
    "snapshot:metadata": MEMBER,
    "snapshot:force_delete": ADMIN,
    "snapshot:reset_status": ADMIN,
    "backup:list": READER,
    "backup:get": READER,
    "backup:create": MEMBER,
    "backup:update": MEMBER,
    "backup:delete": MEMBER,
    "backup:restore": MEMBER,
    "backup:verify": MEMBER,
    "backup:test": MEMBER,
    "backup:force_delete": ADMIN,
    "backup:reset_status": ADMIN,
    "backup_schedule:list": READER,
    "backup_schedule:get": READER,
    "backup_schedule:create": MEMBER,
    "backup_schedule:update": MEMBER,
    "backup_schedule:delete": MEMBER,
    "backup_schedule:run": MEMBER,
    # A record names the content of any project.
    "backup:export": ADMIN,
    "backup:import": ADMIN,
    # What a project needs to choose one; only administrators see more of it.
    "backup_repository:list": READER,
    "backup_repository:get": READER,
    "backup_repository:damages": ADMIN,
    "backup_repository:scrub": ADMIN,
    "backup_repository:collect": ADMIN,
    "type:list": READER,
    "type:get": READER,
    "type:create": ADMIN,
    "type:update": ADMIN,
    "type:delete": ADMIN,
    "extra_specs:list": READER,
    "extra_specs:get": READER,
    "extra_specs:read_hidden": ADMIN,
    "extra_specs:create": ADMIN,
    "extra_specs:update": ADMIN,
    "extra_specs:delete": ADMIN,
    "quota:show": READER,
    "quota:show_other": ADMIN,
    "quota:update": ADMIN,
    "quota:delete": ADMIN,
    "quota_class:show": READER,
    "quota_class:update": ADMIN,
    "limits:show": READER,
    "limits:show_other": ADMIN,
    "service:list": ADMIN,
    "service:update": ADMIN,
    "pool:list": ADMIN,
    "zone:list": READER,
    "filter:list": READER,
    "extension:list": SIGNED_IN,
    "message:list": READER,
    "message:get": READER,
    "message:delete": MEMBER,
    "operation:list": READER,
    "operation:get": READER,
    "operation:cancel": MEMBER,
    "operation:all_tenants": ADMIN,
    "identity:discover": EVERYONE,
    "identity:issue_token": EVERYONE,
    "identity:show_token": SIGNED_IN,
    "identity:show_other_token": SERVICE,
    # With its token beside a user's, to say that it is itself who asks.
    "identity:vouch": SERVICE,
    "identity:revoke_token": SIGNED_IN,
    "identity:revoke_other_token": ADMIN,
    "identity:show_catalog": SIGNED_IN,
    "identity:list_own_projects": SIGNED_IN,
    "identity:list_projects": SIGNED_IN,
    "identity:get_project": SIGNED_IN,
    "identity:create_project": ADMIN,
    "identity:update_project": ADMIN,
    "identity:delete_project": ADMIN,
    "identity:list_users": SIGNED_IN,
    "identity:get_user": SIGNED_IN,
    "identity:create_user": ADMIN,
    "identity:update_user": ADMIN,
    "identity:delete_user": ADMIN,
    "identity:change_password": OWNER,
    "identity:list_user_projects": OWNER_OR_ADMIN,
    # Without it, the lists above show a user nobody but themselves and their own projects.
    "identity:see_all": ADMIN,
    "identity:list_roles": SIGNED_IN,
    "identity:get_role": SIGNED_IN,
    "identity:create_role": ADMIN,
    "identity:update_role": ADMIN,
    "identity:delete_role": ADMIN,
    "identity:list_assignments": SIGNED_IN,
    "identity:grant_role": ADMIN,
    "identity:withdraw_role": ADMIN,
    "identity:list_domains": SIGNED_IN,
    "identity:list_services": SIGNED_IN,
}


def allows(caller: Caller | None, key: str, *, user_id: str | None = None) -> bool:
    """Say whether the policy lets `caller` do `key` (to the user `user_id`, where it matters).

    Raises KeyError for a key that the table does not have.
    """
    return POLICY[key].test(caller, user_id)


def require(caller: Caller | None, key: str, *, user_id: str | None = None) -> None:
    """Raise PermissionDenied, naming the key, unless the policy allows it."""
    if not allows(caller, key, user_id=user_id):
        raise PermissionDenied(denial(key))


def denial(key: str) -> str:
    return f"Policy doesn't allow {key} to be performed."


class PolicyPermission(BasePermission):
    """Asks the table with the key that the view declares in `policies` for the method.

    The user concerned is the one in the URL, if any.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        key = policy_key(view, str(request.method))
        if key is None:
            return True
        self.message = denial(key)
        caller = cast(Caller | None, request.auth)
        return allows(caller, key, user_id=view.kwargs.get("user_id"))


def policy_key(view: Any, method: str) -> str | None:
    """Return the key for a method of a view; None if the view answers it without a handler of
    its own: OPTIONS, and methods that end in 405.
    """
    if method == "HEAD" and "HEAD" not in view.policies:
        method = "GET"
    if method == "OPTIONS" or not hasattr(view, method.lower()):
        return None
    key: str = view.policies[method]
    return key
