"""Tokens: sign in for one, look at one, end one."""

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.response import Response

from storage_project.api.faults import BadRequest, UnknownAddress
from storage_project.api.requests import ResourceRequest
from storage_project.identity import selectors, services
from storage_project.identity.api.bodies import IssueToken
from storage_project.identity.api.representations import DOMAIN, show_token
from storage_project.identity.api.views import IdentityView
from storage_project.identity.memberships import choose_membership, list_memberships
from storage_project.identity.models import Project, Token, User
from storage_project.identity.passwords import verify_password
from storage_project.identity.policy import require


class TokensView(IdentityView):
    """The token to look at or to end is in X-Subject-Token; the caller's own in X-Auth-Token."""

    policies = {
        "POST": "identity:issue_token",
        "GET": "identity:show_token",
        "DELETE": "identity:revoke_token",
    }
    bodies = {"POST": IssueToken}

    def get_authenticators(self) -> list[BaseAuthentication]:
        """Whoever signs in has no token yet, or a stale one that must not matter."""
        return [] if self.request.method == "POST" else super().get_authenticators()

    def post(self, request: ResourceRequest) -> Response:
        values = self.read(request)
        identity = values["identity"]
        user, parent = sign_in(identity, request)
        secret, token = services.issue_token(
            user=user,
            project=choose_project(user, values.get("scope") or {}),
            methods=identity["methods"],
            parent=parent,
        )
        return self.show_token(token, secret, status=201)

    def get(self, request: ResourceRequest) -> Response:
        secret, token = find_subject(request)
        if token.user_id != request.auth.user_id:
            require(request.auth, "identity:show_other_token")
        return self.show_token(token, secret, status=200)

    def delete(self, request: ResourceRequest) -> Response:
        _, token = find_subject(request)
        if token.user_id != request.auth.user_id:
            require(request.auth, "identity:revoke_other_token")
        services.revoke_token(token=token)
        return Response(status=204)

    def show_token(self, token: Token, secret: str, *, status: int) -> Response:
        with_catalog = "nocatalog" not in self.request.query_params
        return Response(
            {"token": show_token(token, self.request, with_catalog=with_catalog)},
            status=status,
            headers={"X-Subject-Token": secret, "Vary": "X-Auth-Token"},
        )


def sign_in(identity: dict[str, Any], request: ResourceRequest) -> tuple[User, Token | None]:
    """Return who proved to be whom, and the token, if that was the proof."""
    match identity:
        case {"methods": ["password"], "password": {"user": credentials}}:
            return check_credentials(credentials, request), None
        case {"methods": ["token"], "token": {"id": secret}}:
            token = selectors.find_token(secret, request_id=request.request_id)
            if token is None:
                raise AuthenticationFailed("The token is not valid, or not any more.")
            return token.user, token
        case {"methods": ["password" | "token" as method]}:
            raise BadRequest(f"Invalid input for auth.identity.{method}: This field is required.")
    raise AuthenticationFailed("The methods to sign in are password or token, one of them.")


def check_credentials(credentials: dict[str, Any], request: ResourceRequest) -> User:
    name, user_id = credentials.get("name", ""), credentials.get("id", "")
    if not (name or user_id):
        raise BadRequest("Invalid input for auth.identity.password.user: give its id or name.")
    if not is_our_domain(credentials.get("domain", {})):
        raise AuthenticationFailed("The name or the password is wrong.")
    return verify_password(
        name=name,
        user_id=user_id,
        password=credentials["password"],
        address=request.META["REMOTE_ADDR"],
    )


def choose_project(user: User, scope: dict[str, Any]) -> Project | None:
    """Return the project for the scope that was asked for; None for no project.

    Without a scope it is the user's default project, or the only one. What does not exist is
    refused in the words for what the user has no access to.
    """
    match scope:
        case {"project": wanted}:
            if not is_our_domain(wanted.get("domain", {})):
                raise AuthenticationFailed(services.NO_ACCESS)
            project = selectors.find_project(
                project_id=wanted.get("id", ""), name=wanted.get("name", "")
            )
            if project is None:
                raise AuthenticationFailed(services.NO_ACCESS)
            return project
        case {"unscoped": _}:
            return None
        case _ if not scope:
            membership = choose_membership(user, list_memberships(user))
            return selectors.find_project(project_id=membership.project_id) if membership else None
    raise AuthenticationFailed("A token is for a project here, not for a domain or the system.")


def is_our_domain(reference: dict[str, str]) -> bool:
    """Whether a domain, by id or name, is the one we have; so is one that is not given."""
    is_id_ours = reference.get("id", DOMAIN["id"]) == DOMAIN["id"]
    return is_id_ours and reference.get("name", DOMAIN["name"]).lower() == DOMAIN["name"].lower()


def find_subject(request: ResourceRequest) -> tuple[str, Token]:
    """Return the token that X-Subject-Token names, or 404. The answer never repeats the secret."""
    secret = request.headers.get("X-Subject-Token", "")
    token = selectors.find_token(secret, request_id=request.request_id)
    if token is None:
        raise UnknownAddress("The token could not be found.")
    return secret, token
