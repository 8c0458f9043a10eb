"""The three ways to sign a request, and Django's own for its administration pages.

Each gives the views the user and, as `request.auth`, the `Caller`.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from dataclasses import replace
from threading import Lock

from django.contrib.auth.backends import BaseBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from storage_project.identity.caller import Caller
from storage_project.identity.catalog import identity_url
from storage_project.identity.memberships import (
    build_caller,
    choose_membership,
    list_memberships,
)
from storage_project.identity.models import User
from storage_project.identity.passwords import verify_password
from storage_project.identity.policy import allows
from storage_project.identity.tokens import find_token_holder

# The project that a person picked on the sign-in page.
SESSION_PROJECT = "project_id"
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")


def _request_id(request: Request) -> str:
    request_id: str = request.request_id  # type: ignore[attr-defined]  # by RequestIdMiddleware
    return request_id


def _is_vouched_for(request: Request) -> bool:
    """Whether another service sends the request for a user, and proves it by its own token."""
    secret = request.headers.get("X-Service-Token")
    if not secret:
        return False
    service = find_token_holder(secret, request_id=_request_id(request))
    if service is None:
        raise AuthenticationFailed("The service token is not valid, or not any more.")
    _, caller = service
    return allows(caller, "identity:vouch")


class TokenAuthentication(authentication.BaseAuthentication):
    """`X-Auth-Token`, from `POST /identity/v3/auth/tokens`."""

    def authenticate(self, request: Request) -> tuple[User, Caller] | None:
        secret = request.headers.get("X-Auth-Token")
        if not secret:
            return None
        holder = find_token_holder(secret, request_id=_request_id(request))
        if holder is None:
            raise AuthenticationFailed("The token is not valid, or not any more.")
        user, caller = holder
        return user, replace(caller, vouched_for=_is_vouched_for(request))

    def authenticate_header(self, request: Request) -> str:
        """keystoneauth signs in again when a 401 has this header."""
        return f'Keystone uri="{identity_url(request)}"'


class VerifiedPasswords:
    """Passwords found right within the last minute, so that not every request pays for scrypt.

    Keyed by a keyed digest that only this process can compute; it holds nothing that could be
    turned back into a password. The user is read anew every time: a changed password, whose
    stored hash differs, and a disabled user are refused at once.
    """

    def __init__(self, *, lifetime_s: float, size: int) -> None:
        self._lifetime_s = lifetime_s
        self._size = size
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, float] = OrderedDict()
        self._lock = Lock()

    def knows(self, user: User, password: str) -> bool:
        with self._lock:
            return self._known.get(self._digest(user, password), 0.0) > time.monotonic()

    def remember(self, user: User, password: str) -> None:
        with self._lock:
            self._known[self._digest(user, password)] = time.monotonic() + self._lifetime_s
            if len(self._known) > self._size:
                self._known.popitem(last=False)

    def _digest(self, user: User, password: str) -> bytes:
        text = "\n".join((user.pk, user.password, password))
        return hmac.digest(self._key, text.encode(), hashlib.sha256)


class BasicAuthentication(authentication.BasicAuthentication):
    """HTTP basic; acts on the user's default project, or the only one."""

    www_authenticate_realm = "Khoi"
    verified = VerifiedPasswords(lifetime_s=60, size=1024)

    def authenticate(self, request: Request) -> tuple[User, Caller] | None:
        credentials = _read_basic_credentials(request)
        if credentials is None:
            return None
        name, password = credentials
        user = User.objects.filter(name=name, enabled=True).first()
        if user is None or not self.verified.knows(user, password):
            user = verify_password(
                name=name, password=password, address=request.META["REMOTE_ADDR"]
            )
            self.verified.remember(user, password)
        membership = choose_membership(user, list_memberships(user))
        return user, build_caller(user, membership, request_id=_request_id(request))


def _read_basic_credentials(request: Request) -> tuple[str, str] | None:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        credentials = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise AuthenticationFailed("The Authorization header is not valid HTTP basic.") from error
    name, colon, password = credentials.partition(":")
    # RFC 7617 allows no control characters, and PostgreSQL refuses to be asked about a NUL.
    if not colon or CONTROL_CHARACTER.search(credentials):
        raise AuthenticationFailed("The Authorization header is not valid HTTP basic.")
    return name, password


class SessionAuthentication(authentication.SessionAuthentication):
    """The cookie of the sign-in page, for people with a browser; writes need the CSRF token."""

    def authenticate(self, request: Request) -> tuple[User, Caller] | None:
        authenticated = super().authenticate(request)
        if authenticated is None:
            return None
        user, _ = authenticated
        membership = choose_membership(
            user, list_memberships(user), wanted=request.session.get(SESSION_PROJECT)
        )
        return user, build_caller(user, membership, request_id=_request_id(request))


class PasswordBackend(BaseBackend):
    """Lets Django's own sign-in form check passwords by the same rules."""

    def authenticate(  # type: ignore[override]  # Django calls it with what the form has
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
    ) -> User | None:
        if request is None or username is None or password is None:
            return None
        try:
            return verify_password(
                name=username, password=password, address=request.META["REMOTE_ADDR"]
            )
        except (AuthenticationFailed, Throttled) as error:
            raise PermissionDenied(str(error)) from error

    def get_user(self, user_id: str) -> User | None:
        return User.objects.filter(pk=user_id, enabled=True).first()
