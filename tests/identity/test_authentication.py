"""The three ways to sign a request, seen from outside."""

import base64
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client

from storage_project.identity.authentication import BasicAuthentication, VerifiedPasswords
from storage_project.identity.models import FailedSignIns
from storage_project.identity.passwords import MAX_FAILURES
from storage_project.identity.services import create_project, create_user, update_user
from tests.identity.conftest import PASSWORD, Account, JSONClient, give_role

WHERE = "/identity/v3/auth/projects"


class CountingHasher(MD5PasswordHasher):
    algorithm = "counting"
    count = 0

    def verify(self, password: str, encoded: str) -> bool:
        CountingHasher.count += 1
        return super().verify(password, encoded)


@pytest.fixture
def hashings(settings: Any, monkeypatch: pytest.MonkeyPatch) -> type[CountingHasher]:
    """Counts how often a password is hashed to be checked; starts with nothing remembered."""
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    monkeypatch.setattr(
        BasicAuthentication, "verified", VerifiedPasswords(lifetime_s=60, size=1024)
    )
    CountingHasher.count = 0
    return CountingHasher


def basic(name: str, password: str = PASSWORD) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": raw_basic(f"{name}:{password}".encode())}


def raw_basic(credentials: bytes) -> str:
    return f"Basic {base64.b64encode(credentials).decode()}"


class TestToken:
    def test_signs_a_request(self, demo: Account) -> None:
        assert demo.client.get(WHERE).json()["projects"][0]["name"] == "demo"

    @pytest.mark.parametrize("headers", [{}, {"HTTP_X_AUTH_TOKEN": "khoi_wrong"}])
    def test_refusal_says_where_to_sign_in(self, db: None, headers: dict[str, str]) -> None:
        response = JSONClient().get(WHERE, **headers)
        assert response.status_code == 401
        assert response["WWW-Authenticate"] == 'Keystone uri="http://testserver/identity/v3"'
        assert response.json()["error"]["code"] == 401

    def test_address_to_sign_in_is_the_public_one(self, db: None, settings: Any) -> None:
        settings.STORAGE_PUBLIC_URL = "https://storage.example.org"
        header = JSONClient().get(WHERE)["WWW-Authenticate"]
        assert header == 'Keystone uri="https://storage.example.org/identity/v3"'


class TestBasic:
    def test_acts_on_the_default_project(self, demo: Account) -> None:
        give_role(demo.user, create_project(name="another"), "member")
        catalog = JSONClient().get("/identity/v3/auth/catalog", **basic("demo")).json()["catalog"]
        assert catalog[0]["endpoints"][0]["url"].endswith(demo.project.pk)

    def test_acts_on_the_only_project(self, db: None) -> None:
        user, project = create_user(name="ann", password=PASSWORD), create_project(name="only")
        give_role(user, project, "member")
        catalog = JSONClient().get("/identity/v3/auth/catalog", **basic("ann")).json()["catalog"]
        assert catalog[0]["endpoints"][0]["url"].endswith(project.pk)

    def test_acts_on_none_when_there_is_a_choice(self, db: None) -> None:
        user = create_user(name="ann", password=PASSWORD)
        for name in ("one", "two"):
            give_role(user, create_project(name=name), "admin")
        client = JSONClient(**basic("ann"))
        assert client.get(WHERE).status_code == 200
        assert client.post("/identity/v3/roles", {"role": {"name": "x"}}).status_code == 403

    def test_password_is_hashed_once_for_many_requests(
        self, hashings: type[CountingHasher], demo: Account
    ) -> None:
        for _ in range(5):
            assert JSONClient().get(WHERE, **basic("demo")).status_code == 200
        assert hashings.count == 1

    def test_wrong_password_is_never_remembered(
        self, hashings: type[CountingHasher], demo: Account
    ) -> None:
        for _ in range(3):
            assert JSONClient().get(WHERE, **basic("demo", "wrong")).status_code == 401
        assert hashings.count == 3

    @pytest.mark.parametrize("change", [{"password": "new"}, {"enabled": False}])
    def test_change_counts_at_once(self, demo: Account, change: dict[str, Any]) -> None:
        assert JSONClient().get(WHERE, **basic("demo")).status_code == 200
        update_user(user=demo.user, **change)
        assert JSONClient().get(WHERE, **basic("demo")).status_code == 401

    def test_guessing_is_throttled(self, demo: Account) -> None:
        for _ in range(MAX_FAILURES):
            assert JSONClient().get(WHERE, **basic("demo", "wrong")).status_code == 401
        response = JSONClient().get(WHERE, **basic("demo", "wrong again"))
        assert response.status_code == 429
        assert 0 < int(response["Retry-After"]) <= 300

    @pytest.mark.parametrize(
        "header",
        [
            "Basic",
            "Basic !",
            "Basic ZGVtbw==",
            raw_basic(b"\xff:x"),
            raw_basic(b"de\0mo:x"),
            raw_basic(b"demo:\0"),
        ],
    )
    def test_malformed_header(self, db: None, header: str) -> None:
        assert JSONClient().get(WHERE, HTTP_AUTHORIZATION=header).status_code == 401
        assert not FailedSignIns.objects.exists()

    def test_other_schemes_are_not_ours(self, demo: Account) -> None:
        response = demo.client.get(WHERE, HTTP_AUTHORIZATION="Bearer x")
        assert response.status_code == 200


def test_memory_of_passwords_is_bounded(db: None) -> None:
    verified = VerifiedPasswords(lifetime_s=60, size=2)
    user = create_user(name="ann", password=PASSWORD)
    for password in ("one", "two", "three"):
        verified.remember(user, password)
    assert [verified.knows(user, text) for text in ("one", "two", "three")] == [False, True, True]


def test_memory_of_passwords_fades(db: None) -> None:
    verified = VerifiedPasswords(lifetime_s=0, size=2)
    user = create_user(name="ann", password=PASSWORD)
    verified.remember(user, PASSWORD)
    assert not verified.knows(user, PASSWORD)


class TestSession:
    @pytest.fixture
    def browser(self, demo: Account) -> Client:
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(demo.user)
        return browser

    def test_reads(self, browser: Client) -> None:
        assert browser.get(WHERE).json()["projects"][0]["name"] == "demo"

    def test_writes_need_the_csrf_token(self, browser: Client, demo: Account) -> None:
        where = f"/identity/v3/users/{demo.user.pk}/password"
        body = {"user": {"original_password": PASSWORD, "password": "new"}}
        response = browser.post(where, body, content_type="application/json")
        assert response.status_code == 403
        assert "CSRF" in response.json()["error"]["message"]
        browser.get("/login/")
        token = browser.cookies["khoi_csrf"].value
        response = browser.post(
            where, body, content_type="application/json", headers={"X-CSRFToken": token}
        )
        assert response.status_code == 204

    @pytest.mark.parametrize("change", [{"password": "new"}, {"enabled": False}])
    def test_ends_at_once(self, browser: Client, demo: Account, change: dict[str, Any]) -> None:
        update_user(user=demo.user, **change)
        assert browser.get(WHERE).status_code == 401
