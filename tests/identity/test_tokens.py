"""The check that every request with a token passes, and what ends a token."""

import hashlib
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed

from storage_project.identity.caller import Caller
from storage_project.identity.models import RoleAssignment, Token
from storage_project.identity.services import (
    create_project,
    delete_project,
    delete_user,
    issue_token,
    revoke_token,
    update_project,
    update_user,
    withdraw_role,
)
from storage_project.identity.tokens import find_token_holder
from tests.identity.conftest import Account, give_role


def find_caller(secret: str) -> Caller | None:
    holder = find_token_holder(secret, request_id="req-1")
    return holder[1] if holder else None


def test_token_speaks_for_its_user_and_project(demo: Account) -> None:
    give_role(demo.user, demo.project, "reader")
    assert find_caller(demo.secret) == Caller(
        user_id=demo.user.pk,
        user_name="demo",
        project_id=demo.project.pk,
        project_name="demo",
        roles=frozenset({"member", "reader"}),
        request_id="req-1",
    )


def test_unscoped_token_has_no_roles(demo: Account) -> None:
    secret, _ = issue_token(user=demo.user, project=None, methods=["password"])
    caller = find_caller(secret)
    assert caller is not None
    assert (caller.project_id, caller.roles) == (None, frozenset())


def test_user_of_a_token_is_read_no_further_than_needed(demo: Account) -> None:
    user, _ = find_token_holder(demo.secret, request_id="")
    assert user == demo.user
    with CaptureQueriesContext(connection) as queries:
        assert (user.pk, user.name, user.is_authenticated) == (demo.user.pk, "demo", True)
    assert not queries
    assert user.enabled  # a field that was not read is there when asked for


@pytest.mark.parametrize("secret", ["", "x", "khoi_" + "a" * 43, "é", "\0"])
def test_unknown_token(db: None, secret: str) -> None:
    assert find_caller(secret) is None


def test_only_the_digest_is_stored(demo: Account) -> None:
    row = Token.objects.values().get()
    assert demo.secret not in str(row)
    assert row["digest"] == hashlib.sha256(demo.secret.encode()).hexdigest()
    assert len(demo.secret) > 43  # 256 bits and what tells people that it is a secret of ours


def expire(demo: Account) -> None:
    Token.objects.update(expires_at=timezone.now())


def revoke(demo: Account) -> None:
    revoke_token(token=Token.objects.get())


def take_the_only_role(demo: Account) -> None:
    withdraw_role(assignment=RoleAssignment.objects.get())


ENDINGS = {
    "expired": expire,
    "revoked": revoke,
    "user disabled": lambda demo: update_user(user=demo.user, enabled=False),
    "project disabled": lambda demo: update_project(project=demo.project, enabled=False),
    "password changed": lambda demo: update_user(user=demo.user, password="another"),
    "user deleted": lambda demo: delete_user(user=demo.user),
    "project deleted": lambda demo: delete_project(project=demo.project),
    "no role left": take_the_only_role,
}


@pytest.mark.parametrize("how", ENDINGS)
def test_token_ends_at_once(demo: Account, how: str) -> None:
    assert find_caller(demo.secret) is not None
    ENDINGS[how](demo)
    assert find_caller(demo.secret) is None


@pytest.mark.parametrize("kind", ["user", "project"])
def test_enabling_again_does_not_bring_tokens_back(demo: Account, kind: str) -> None:
    if kind == "user":
        update_user(user=demo.user, enabled=False)
        update_user(user=demo.user, enabled=True)
    else:
        update_project(project=demo.project, enabled=False)
        update_project(project=demo.project, enabled=True)
    assert find_caller(demo.secret) is None


def test_disabling_past_the_services_counts_too(demo: Account) -> None:
    type(demo.user).objects.filter(pk=demo.user.pk).update(enabled=False)
    assert find_caller(demo.secret) is None


def test_no_token_for_a_project_without_a_role(demo: Account) -> None:
    with pytest.raises(AuthenticationFailed):
        issue_token(user=demo.user, project=create_project(name="other"), methods=["password"])


def test_no_token_for_a_disabled_project(demo: Account) -> None:
    update_project(project=demo.project, enabled=False)
    with pytest.raises(AuthenticationFailed):
        issue_token(user=demo.user, project=demo.project, methods=["password"])


def test_token_from_a_token_ends_with_it(demo: Account) -> None:
    parent = Token.objects.get()
    Token.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
    parent.refresh_from_db()
    _, child = issue_token(user=demo.user, project=None, methods=["token"], parent=parent)
    assert child.expires_at == parent.expires_at
    assert child.audit_ids == [child.audit_ids[0], parent.audit_ids[0]]


def test_check_is_one_cheap_query(demo: Account) -> None:
    with CaptureQueriesContext(connection) as queries:
        find_caller(demo.secret)
    assert len(queries) == 1

    def cpu_s(times: int) -> float:
        begun = time.process_time()
        for _ in range(times):
            find_caller(demo.secret)
        return (time.process_time() - begun) / times

    assert min(cpu_s(50) for _ in range(5)) < 0.001
