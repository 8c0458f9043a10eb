"""Who makes a request: what every authentication gives the views as `request.auth`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """A user acting on a project (or on none, when unscoped) with the roles held there."""

    user_id: str
    user_name: str
    project_id: str | None
    project_name: str | None
    roles: frozenset[str]
    request_id: str
    # Whether the token of a service came along (`X-Service-Token`): it sends what the user asked.
    vouched_for: bool = False

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles
