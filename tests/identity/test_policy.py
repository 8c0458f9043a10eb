"""The table, the class that asks it, and the check that nothing is left out of it."""

from typing import Any

import pytest
from django.core import checks
from rest_framework.exceptions import PermissionDenied

from storage_project.identity.caller import Caller
from storage_project.identity.policy import (
    ADMIN,
    EVERYONE,
    MEMBER,
    OWNER,
    OWNER_OR_ADMIN,
    POLICY,
    READER,
    SERVICE,
    SIGNED_IN,
    Rule,
    allows,
    require,
)


def make_caller(*roles: str) -> Caller:
    return Caller(
        user_id="me",
        user_name="me",
        project_id="p",
        project_name="p",
        roles=frozenset(roles),
        request_id="",
    )


CALLERS = {
    "nobody": None,
    "roleless": make_caller(),
    "stranger": make_caller("auditor"),
    "reader": make_caller("reader"),
    "member": make_caller("member"),
    "admin": make_caller("admin"),
    "service": make_caller("service"),
}


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        (EVERYONE, {*CALLERS}),
        (SIGNED_IN, {*CALLERS} - {"nobody"}),
        (READER, {"reader", "member", "admin"}),
        (MEMBER, {"member", "admin"}),
        (ADMIN, {"admin"}),
        (SERVICE, {"service", "admin"}),
        (OWNER, set()),
        (OWNER_OR_ADMIN, {"admin"}),
    ],
)
def test_rules(rule: Rule, allowed: set[str]) -> None:
    assert {name for name, caller in CALLERS.items() if rule.test(caller, "you")} == allowed


@pytest.mark.parametrize("rule", [OWNER, OWNER_OR_ADMIN])
def test_owner(rule: Rule) -> None:
    assert rule.test(make_caller(), "me")
    assert not rule.test(make_caller(), None)
    assert not rule.test(None, None)


def test_unknown_key_is_never_permission() -> None:
    with pytest.raises(KeyError):
        allows(make_caller("admin"), "volume:explode")


def test_require() -> None:
    require(make_caller("member"), "volume:create")
    with pytest.raises(PermissionDenied, match=r"Policy doesn't allow volume:create"):
        require(make_caller("reader"), "volume:create")


def test_only_signing_in_needs_no_caller() -> None:
    assert {key for key, rule in POLICY.items() if rule is EVERYONE} == {
        "identity:discover",
        "identity:issue_token",
    }


def find_problems() -> list[str]:
    return [
        f"{error.obj.__name__}: {error.msg}"
        for error in checks.run_checks(tags=[checks.Tags.security])
        if error.id == "identity.E001"
    ]


def test_every_view_has_a_known_policy() -> None:
    assert find_problems() == []


def test_views_without_a_policy_stop_the_start(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.identity.misconfigured_urls"
    assert find_problems() == [
        "BadAction: bad has the policy 'volume:explode', which the table does not know.",
        "Foreign: GET has no policy.",
        "Forgetful: POST has no policy.",
        "Misspelt: GET has the policy 'volume:lits', which the table does not know.",
    ]
