"""The administration pages for users, projects, roles and tokens."""

from typing import Any

import pytest
from django.test import Client

from storage_project.identity.models import Project, Role, Token, User
from storage_project.identity.services import update_user
from tests.identity.conftest import PASSWORD, Account

USERS = "/admin/identity/user/"
NO_ASSIGNMENTS = {"assignments-TOTAL_FORMS": "0", "assignments-INITIAL_FORMS": "0"}


@pytest.fixture
def operator(admin: Account) -> Client:
    update_user(user=admin.user, is_staff=True)
    client = Client()
    response = client.post("/admin/login/", {"username": "admin", "password": PASSWORD})
    assert response.status_code == 302
    return client


def test_only_operators_come_in(admin: Account, demo: Account) -> None:
    client = Client()
    response = client.post("/admin/login/", {"username": "demo", "password": PASSWORD})
    assert response.status_code == 200
    assert client.get(USERS).status_code == 302


def test_wrong_password(admin: Account) -> None:
    update_user(user=admin.user, is_staff=True)
    response = Client().post("/admin/login/", {"username": "admin", "password": "wrong"})
    assert response.status_code == 200


@pytest.mark.parametrize("kind", ["user", "project", "role", "token"])
def test_lists_and_pages(operator: Client, demo: Account, kind: str) -> None:
    row: Any = {"user": User, "project": Project, "role": Role, "token": Token}[
        kind
    ].objects.first()
    assert operator.get(f"/admin/identity/{kind}/").status_code == 200
    assert operator.get(f"/admin/identity/{kind}/?q=demo").status_code == 200
    assert operator.get(f"/admin/identity/{kind}/{row.pk}/change/").status_code == 200


def test_make_a_user_and_set_its_password(operator: Client) -> None:
    fields = {"name": "ann", "usable_password": "true", "password1": "s3cr3t-1"}
    operator.post(f"{USERS}add/", fields | {"password2": "s3cr3t-1"} | NO_ASSIGNMENTS)
    ann = User.objects.get(name="ann")
    assert ann.check_password("s3cr3t-1")
    response = operator.post(
        f"{USERS}{ann.pk}/password/",
        {"usable_password": "true", "password1": "s3cr3t-2", "password2": "s3cr3t-2"},
    )
    assert response.status_code == 302
    ann.refresh_from_db()
    assert ann.check_password("s3cr3t-2")


def test_new_password_ends_tokens(operator: Client, demo: Account) -> None:
    fields = {"usable_password": "true", "password1": "s3cr3t-2", "password2": "s3cr3t-2"}
    operator.post(f"{USERS}{demo.user.pk}/password/", fields)
    assert Token.objects.get(user=demo.user).revoked_at


def test_disabling_a_user_ends_tokens(operator: Client, demo: Account) -> None:
    operator.post(f"{USERS}{demo.user.pk}/change/", {"name": "demo"} | NO_ASSIGNMENTS)
    demo.user.refresh_from_db()
    assert not demo.user.enabled
    assert Token.objects.get(user=demo.user).revoked_at


def test_disabling_a_project_ends_tokens(operator: Client, demo: Account) -> None:
    where = f"/admin/identity/project/{demo.project.pk}/change/"
    operator.post(where, {"name": "demo"} | NO_ASSIGNMENTS)
    demo.project.refresh_from_db()
    assert not demo.project.enabled
    assert Token.objects.get(user=demo.user).revoked_at


def test_tokens_can_be_ended_but_not_seen(operator: Client, demo: Account) -> None:
    where = "/admin/identity/token/"
    token = Token.objects.get(user=demo.user)
    for page in (where, f"{where}{token.pk}/change/"):
        text = operator.get(page).content.decode()
        assert token.digest not in text
        assert demo.secret not in text
    operator.post(where, {"action": "revoke", "_selected_action": [token.pk]})
    token.refresh_from_db()
    assert token.revoked_at
    assert operator.get(f"{where}add/").status_code == 403


def test_hashes_are_not_shown_whole(operator: Client, demo: Account) -> None:
    demo.user.refresh_from_db()
    assert demo.user.password not in operator.get(f"{USERS}{demo.user.pk}/change/").content.decode()


def test_roles_of_the_policy_stay(operator: Client) -> None:
    role, _ = Role.objects.get_or_create(name="member")
    operator.post(f"/admin/identity/role/{role.pk}/change/", {"name": "x", "description": "y"})
    role.refresh_from_db()
    assert (role.name, role.description) == ("member", "y")
    assert operator.post(f"/admin/identity/role/{role.pk}/delete/").status_code == 403
