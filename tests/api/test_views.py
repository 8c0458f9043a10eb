"""What every endpoint does before its handler: project, permission, form of the answer."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from tests.api.conftest import OTHER_PROJECT, PROJECT
from tests.api.crates import Crate

pytestmark = pytest.mark.django_db


def test_with_and_without_the_project_in_the_address(member: APIClient) -> None:
    Crate.objects.create(project_id=PROJECT, name="apples")
    for address in ("/v3/crates", f"/v3/{PROJECT}/crates"):
        assert [crate["name"] for crate in member.get(address).json()["crates"]] == ["apples"]


def test_the_project_in_the_address_must_be_the_callers(
    member: APIClient, admin: APIClient
) -> None:
    for client in (member, admin):
        response = client.get(f"/v3/{OTHER_PROJECT}/crates")
        assert response.status_code == 400
        assert response.json()["badRequest"]["message"].startswith("Malformed request url")


def test_another_projects_crate_does_not_exist(
    client_for: Callable[..., APIClient],
) -> None:
    crate = Crate.objects.create(project_id=PROJECT)
    stranger = client_for("admin", project_id=OTHER_PROJECT)
    for response in (
        stranger.get(f"/v3/crates/{crate.id}"),
        stranger.delete(f"/v3/crates/{crate.id}"),
        stranger.post(f"/v3/crates/{crate.id}/action", {"resize": {"new_size": 2}}, format="json"),
    ):
        assert response.status_code == 404
        message = f"Crate {crate.id} could not be found."
        assert response.json()["itemNotFound"]["message"] == message


def test_the_policy_is_asked(client_for: Callable[..., APIClient]) -> None:
    reader = client_for("reader")
    assert reader.get("/v3/crates").status_code == 200
    assert reader.head("/v3/crates").status_code == 200
    response = reader.post("/v3/crates", {"crate": {"size": 1}}, format="json")
    assert response.status_code == 403
    assert "volume:create" in response.json()["forbidden"]["message"]


def test_a_program_gets_json_whatever_it_accepts(member: APIClient) -> None:
    for accept in ("*/*", "application/json", "application/xml", "", "nonsense", "x" * 9000):
        response = member.get("/v3/crates", headers={"Accept": accept})
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "application/json"


def test_a_body_without_a_type_is_json(member: APIClient) -> None:
    response = member.generic("POST", "/v3/crates", b'{"crate": {"size": 1}}', content_type="")
    assert response.status_code == 202


def test_an_empty_answer_has_no_body_and_no_type(admin: APIClient) -> None:
    crate = Crate.objects.create(project_id=PROJECT)
    response = admin.delete(f"/v3/crates/{crate.id}")
    assert response.status_code == 202
    assert response.content == b""
    assert "Content-Type" not in response.headers
