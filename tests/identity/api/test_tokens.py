"""POST, GET, HEAD and DELETE /identity/v3/auth/tokens."""

import re
from typing import Any

import pytest
from rest_framework.response import Response

from storage_project.identity.models import Token
from storage_project.identity.passwords import MAX_FAILURES
from storage_project.identity.services import create_project, create_user, issue_token, update_user
from storage_project.identity.tokens import find_token_holder
from tests.identity.conftest import PASSWORD, Account, JSONClient, give_role, sign_in_body

WHERE = "/identity/v3/auth/tokens"


def sign_in(where: str = WHERE, **how: Any) -> Response:
    return JSONClient().post(where, sign_in_body(**how))


def project_of(response: Response) -> str | None:
    assert response.status_code == 201, response.content
    return response.json()["token"].get("project", {}).get("id")


def message_of(response: Response) -> str:
    return response.json()["error"]["message"]


class TestIssue:
    def test_answer(self, demo: Account) -> None:
        response = sign_in(scope={"project": {"name": "demo", "domain": {"name": "Default"}}})
        token = response.json()["token"]
        catalog = token.pop("catalog")
        assert [entry["type"] for entry in catalog] == ["block-storage", "volumev3", "identity"]
        for time in (token.pop("issued_at"), token.pop("expires_at")):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time)
        domain = {"id": "default", "name": "Default"}
        assert token == {
            "methods": ["password"],
            "user": {
                "id": demo.user.pk,
                "name": "demo",
                "domain": domain,
                "password_expires_at": None,
            },
            "project": {"id": demo.project.pk, "name": "demo", "domain": domain},
            "is_domain": False,
            "roles": [{"id": token["roles"][0]["id"], "name": "member"}],
            "audit_ids": [str(Token.objects.last())],
        }
        _, caller = find_token_holder(response["X-Subject-Token"], request_id="")
        assert (caller.user_id, caller.project_id) == (demo.user.pk, demo.project.pk)

    def test_lifetime_is_the_setting(self, demo: Account, settings: Any) -> None:
        settings.TOKEN_LIFETIME_S = 90
        sign_in()
        token = Token.objects.last()
        assert (token.expires_at - token.issued_at).total_seconds() == 90

    @pytest.mark.parametrize("scope", [None, {}, {"project": {"name": "demo"}}])
    def test_scope_or_default_project(self, demo: Account, scope: object) -> None:
        assert project_of(sign_in(scope=scope)) == demo.project.pk

    def test_scope_by_id(self, demo: Account) -> None:
        other = create_project(name="other")
        give_role(demo.user, other, "reader")
        assert project_of(sign_in(scope={"project": {"id": other.pk}})) == other.pk

    @pytest.mark.parametrize("scope", ["unscoped", {"unscoped": {}}])
    def test_unscoped(self, demo: Account, scope: object) -> None:
        response = sign_in(scope=scope)
        assert project_of(response) is None
        token = response.json()["token"]
        assert "roles" not in token
        assert [entry["type"] for entry in token["catalog"]] == ["identity"]

    def test_unscoped_when_no_project_stands_out(self, db: None) -> None:
        user = create_user(name="demo", password=PASSWORD)
        for name in ("one", "two"):
            give_role(user, create_project(name=name), "member")
        assert project_of(sign_in()) is None

    def test_without_catalog(self, demo: Account) -> None:
        assert "catalog" not in sign_in(f"{WHERE}?nocatalog").json()["token"]

    def test_by_user_id(self, demo: Account) -> None:
        user = {"id": demo.user.pk, "password": PASSWORD}
        identity = {"methods": ["password"], "password": {"user": user}}
        response = JSONClient().post(WHERE, {"auth": {"identity": identity}})
        assert project_of(response) == demo.project.pk

    def test_a_stale_token_does_not_keep_anybody_from_signing_in(self, demo: Account) -> None:
        client = JSONClient(HTTP_X_AUTH_TOKEN="khoi_stale")
        assert client.post(WHERE, sign_in_body()).status_code == 201

    @pytest.mark.parametrize(
        "scope",
        [
            {"project": {"name": "hidden"}},
            {"project": {"name": "missing"}},
            {"project": {"id": "missing"}},
            {"project": {"name": "demo", "domain": {"id": "elsewhere"}}},
        ],
    )
    def test_projects_without_access_look_like_missing_ones(
        self, demo: Account, scope: object
    ) -> None:
        create_project(name="hidden")
        response = sign_in(scope=scope)
        assert response.status_code == 401
        assert message_of(response) == "The user has no access to this project."

    @pytest.mark.parametrize("scope", [{"domain": {"id": "default"}}, {"system": {"all": True}}])
    def test_only_projects_are_scopes(self, demo: Account, scope: object) -> None:
        assert sign_in(scope=scope).status_code == 401

    @pytest.mark.parametrize(
        "how",
        [
            {"password": "wrong"},
            {"name": "unknown"},
            {"domain": {"name": "Elsewhere"}},
            {"domain": {"id": "elsewhere"}},
        ],
    )
    def test_refusal(self, demo: Account, how: dict[str, Any]) -> None:
        response = sign_in(**how)
        assert response.status_code == 401
        assert response["WWW-Authenticate"].startswith("Keystone uri=")
        assert response.json() == {
            "error": {
                "code": 401,
                "title": "Unauthorized",
                "message": "The name or the password is wrong.",
            }
        }

    def test_disabled_user(self, demo: Account) -> None:
        update_user(user=demo.user, enabled=False)
        assert message_of(sign_in()) == "The name or the password is wrong."

    def test_guessing_is_throttled(self, demo: Account) -> None:
        for _ in range(MAX_FAILURES):
            assert sign_in(password="wrong").status_code == 401
        response = sign_in()
        assert response.status_code == 429
        assert response["Retry-After"]

    @pytest.mark.parametrize(
        ("body", "named"),
        [
            ({}, "auth"),
            ({"auth": None}, "auth"),
            ({"auth": {}}, "identity"),
            ({"auth": {"identity": {"methods": []}}}, "methods"),
            ({"auth": {"identity": {"methods": ["password"]}}}, "auth.identity.password"),
            ({"auth": {"identity": {"methods": ["token"]}}}, "auth.identity.token"),
            (sign_in_body(password=1), "auth.identity.password.user.password"),
            (sign_in_body(name=["demo"]), "auth.identity.password.user.name"),
            (sign_in_body(name=""), "auth.identity.password.user"),
            (sign_in_body(scope="everything"), "auth.scope"),
            (sign_in_body(scope={"planet": {}}), "auth.scope.planet"),
        ],
    )
    def test_malformed_body_is_named(self, db: None, body: Any, named: str) -> None:
        response = JSONClient().post(WHERE, body)
        assert response.status_code == 400
        assert named in message_of(response)

    @pytest.mark.parametrize("methods", [["totp"], ["password", "token"], ["password", "totp"]])
    def test_other_methods(self, demo: Account, methods: list[str]) -> None:
        body = sign_in_body()
        body["auth"]["identity"]["methods"] = methods
        assert JSONClient().post(WHERE, body).status_code == 401


class TestFromToken:
    def exchange(self, secret: str, scope: object = None) -> Response:
        body: dict[str, Any] = {"identity": {"methods": ["token"], "token": {"id": secret}}}
        return JSONClient().post(WHERE, {"auth": body | ({"scope": scope} if scope else {})})

    def test_another_project(self, demo: Account) -> None:
        other = create_project(name="other")
        give_role(demo.user, other, "reader")
        response = self.exchange(demo.secret, {"project": {"id": other.pk}})
        assert project_of(response) == other.pk
        assert response.json()["token"]["methods"] == ["token"]
        assert len(response.json()["token"]["audit_ids"]) == 2

    def test_unscoped_token_for_a_project(self, demo: Account) -> None:
        secret, _ = issue_token(user=demo.user, project=None, methods=["password"])
        assert project_of(self.exchange(secret, {"project": {"name": "demo"}})) == demo.project.pk

    def test_invalid_token(self, db: None) -> None:
        assert self.exchange("khoi_wrong").status_code == 401


class TestShowAndRevoke:
    def test_own(self, demo: Account) -> None:
        response = demo.client.get(WHERE, HTTP_X_SUBJECT_TOKEN=demo.secret)
        assert response.status_code == 200
        assert response["X-Subject-Token"] == demo.secret
        assert response.json()["token"]["user"]["name"] == "demo"
        assert "catalog" in response.json()["token"]

    def test_head(self, demo: Account) -> None:
        assert demo.client.head(WHERE, HTTP_X_SUBJECT_TOKEN=demo.secret).status_code == 200
        assert demo.client.head(WHERE, HTTP_X_SUBJECT_TOKEN="wrong").status_code == 404

    def test_another_users(self, demo: Account, admin: Account) -> None:
        for method in ("get", "delete"):
            response = getattr(demo.client, method)(WHERE, HTTP_X_SUBJECT_TOKEN=admin.secret)
            assert response.status_code == 403
            assert admin.secret not in response.content.decode()

    def test_admin_and_services_check_tokens_of_others(self, demo: Account, admin: Account) -> None:
        nova = create_user(name="nova", password=PASSWORD, default_project=admin.project)
        give_role(nova, admin.project, "service")
        secret, _ = issue_token(user=nova, project=admin.project, methods=["password"])
        for client in (admin.client, JSONClient(HTTP_X_AUTH_TOKEN=secret)):
            response = client.get(WHERE, HTTP_X_SUBJECT_TOKEN=demo.secret)
            assert response.json()["token"]["user"]["name"] == "demo"

    @pytest.mark.parametrize("subject", [{}, {"HTTP_X_SUBJECT_TOKEN": "khoi_wrong"}])
    def test_unknown_subject(self, demo: Account, subject: dict[str, str]) -> None:
        response = demo.client.get(WHERE, **subject)
        assert response.status_code == 404
        assert "khoi_wrong" not in response.content.decode()

    def test_revoke(self, demo: Account, admin: Account) -> None:
        response = admin.client.delete(WHERE, HTTP_X_SUBJECT_TOKEN=demo.secret)
        assert response.status_code == 204
        assert demo.client.get(WHERE, HTTP_X_SUBJECT_TOKEN=demo.secret).status_code == 401
        assert admin.client.delete(WHERE, HTTP_X_SUBJECT_TOKEN=demo.secret).status_code == 404

    def test_needs_a_token_itself(self, demo: Account) -> None:
        assert JSONClient().get(WHERE, HTTP_X_SUBJECT_TOKEN=demo.secret).status_code == 401
