"""/identity/v3/users and passwords."""

from typing import Any

import pytest

from storage_project.identity.models import User
from storage_project.identity.passwords import MAX_FAILURES
from tests.identity.conftest import PASSWORD, Account, JSONClient, sign_in_body

WHERE = "/identity/v3/users"


def sign_in_status(name: str, password: str) -> int:
    body = sign_in_body(name=name, password=password, scope="unscoped")
    return JSONClient().post("/identity/v3/auth/tokens", body).status_code


def test_life_of_a_user(admin: Account) -> None:
    body = {
        "name": "ann",
        "password": "secret",
        "email": "ann@example.org",
        "default_project_id": admin.project.pk,
        "domain_id": "default",
        "enabled": True,
    }
    response = admin.client.post(WHERE, {"user": body})
    assert response.status_code == 201
    user = response.json()["user"]
    where = f"{WHERE}/{user['id']}"
    assert user == {
        "id": User.objects.get(name="ann").pk,
        "name": "ann",
        "email": "ann@example.org",
        "description": "",
        "enabled": True,
        "default_project_id": admin.project.pk,
        "domain_id": "default",
        "password_expires_at": None,
        "options": {},
        "links": {"self": f"http://testserver{where}"},
    }
    assert sign_in_status("ann", "secret") == 201
    change = {"name": "anna", "email": None, "default_project_id": None, "password": "other"}
    response = admin.client.patch(where, {"user": change})
    assert response.json()["user"] == user | {
        "name": "anna",
        "email": "",
        "default_project_id": None,
    }
    assert admin.client.get(where).json() == response.json()
    assert [sign_in_status("anna", text) for text in ("secret", "other")] == [401, 201]
    assert admin.client.delete(where).status_code == 204
    assert admin.client.get(where).status_code == 404


def test_without_a_password_nobody_signs_in(admin: Account) -> None:
    for name, extra in (("ann", {}), ("bob", {"password": None})):
        assert admin.client.post(WHERE, {"user": {"name": name} | extra}).status_code == 201
        assert sign_in_status(name, "x") == 401


def test_names_are_unique(admin: Account, demo: Account) -> None:
    assert admin.client.post(WHERE, {"user": {"name": "demo"}}).status_code == 409


@pytest.mark.parametrize(
    ("user", "named"),
    [
        ({}, "user.name"),
        ({"name": "x", "password": ""}, "user.password"),
        ({"name": "x", "password": 17}, "user.password"),
        ({"name": "x", "password": "p" * 4097}, "user.password"),
        ({"name": "x", "email": "nowhere"}, "user.email"),
        ({"name": "x", "default_project_id": "none"}, "user.default_project_id"),
        ({"name": "x", "default_project_id": 1}, "user.default_project_id"),
        ({"name": "x", "options": {"lock_password": True}}, "user.options"),
        ({"name": "x", "is_staff": True}, "user.is_staff"),
    ],
)
def test_malformed_body_is_named(admin: Account, user: dict[str, Any], named: str) -> None:
    response = admin.client.post(WHERE, {"user": user})
    assert response.status_code == 400
    assert named in response.json()["error"]["message"]


def test_users_see_themselves_only(admin: Account, demo: Account) -> None:
    listed = [user["name"] for user in demo.client.get(WHERE).json()["users"]]
    assert listed == ["demo"]
    assert demo.client.get(f"{WHERE}?name=admin").json()["users"] == []
    assert demo.client.get(f"{WHERE}/{demo.user.pk}").status_code == 200
    assert demo.client.get(f"{WHERE}/{admin.user.pk}").status_code == 404
    assert len(admin.client.get(WHERE).json()["users"]) == 2


def test_only_admins_write(admin: Account, demo: Account) -> None:
    where = f"{WHERE}/{demo.user.pk}"
    assert demo.client.post(WHERE, {"user": {"name": "x"}}).status_code == 403
    assert demo.client.patch(where, {"user": {"name": "x"}}).status_code == 403
    assert demo.client.delete(where).status_code == 403


def test_no_answer_shows_a_password(admin: Account, demo: Account) -> None:
    demo.user.refresh_from_db()
    for where in (WHERE, f"{WHERE}/{demo.user.pk}"):
        text = admin.client.get(where).content.decode()
        assert demo.user.password not in text
        assert PASSWORD not in text


class TestOwnPassword:
    def change(self, account: Account, user: User, original: str) -> Any:
        body = {"user": {"original_password": original, "password": "new one"}}
        return account.client.post(f"{WHERE}/{user.pk}/password", body)

    def test_change_ends_all_tokens(self, demo: Account) -> None:
        assert self.change(demo, demo.user, PASSWORD).status_code == 204
        assert demo.client.get(WHERE).status_code == 401
        assert [sign_in_status("demo", text) for text in (PASSWORD, "new one")] == [401, 201]

    def test_needs_the_present_one(self, demo: Account) -> None:
        assert self.change(demo, demo.user, "wrong").status_code == 401
        assert sign_in_status("demo", PASSWORD) == 201

    def test_is_no_way_around_the_brake_on_guessing(self, demo: Account) -> None:
        for _ in range(MAX_FAILURES):
            assert self.change(demo, demo.user, "wrong").status_code == 401
        assert self.change(demo, demo.user, PASSWORD).status_code == 429

    def test_is_for_oneself(self, admin: Account, demo: Account) -> None:
        assert self.change(demo, admin.user, PASSWORD).status_code == 403
        assert self.change(admin, demo.user, PASSWORD).status_code == 403
