"""Action bodies: one key, known, allowed, there at this microversion."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.api.conftest import PROJECT
from tests.api.crates import Crate

pytestmark = pytest.mark.django_db


@pytest.fixture
def crate() -> Crate:
    return Crate.objects.create(project_id=PROJECT)


def act(client: APIClient, crate: Crate, body: Any, version: str = "3.71") -> Any:
    headers = {"OpenStack-API-Version": f"volume {version}"}
    return client.post(f"/v3/crates/{crate.pk}/action", body, format="json", headers=headers)


def test_an_action_is_done_and_has_no_body(member: APIClient, crate: Crate) -> None:
    response = act(member, crate, {"resize": {"new_size": "5"}}, "3.0")
    assert (response.status_code, response.content) == (202, b"")
    crate.refresh_from_db()
    assert (crate.size_gib, crate.sealed) == (5, False)


def test_namesakes_are_told_apart_by_microversion(member: APIClient, crate: Crate) -> None:
    act(member, crate, {"resize": {"new_size": 5}}, "3.42")
    crate.refresh_from_db()
    assert (crate.size_gib, crate.sealed) == (5, True)


@pytest.mark.parametrize("argument", [None, {}, "", "an id", {"x": 1}])
def test_an_action_without_argument_takes_any(
    admin: APIClient, crate: Crate, argument: Any
) -> None:
    response = act(admin, crate, {"seal": argument})
    assert (response.status_code, response.json()) == (200, {"sealed": True})


@pytest.mark.parametrize(
    "body", [{}, {"resize": {"new_size": 1}, "seal": None}, {"explode": None}, {"x" * 9999: 1}]
)
def test_exactly_one_known_action(member: APIClient, crate: Crate, body: Any) -> None:
    response = act(member, crate, body)
    assert response.status_code == 400
    assert len(response.json()["badRequest"]["message"]) < 400


def test_below_its_microversion_an_action_is_not_found(admin: APIClient, crate: Crate) -> None:
    response = act(admin, crate, {"seal": None}, "3.39")
    assert response.status_code == 404
    assert "needs 3.40 or later" in response.json()["itemNotFound"]["message"]


def test_arguments_are_as_strict_as_bodies(member: APIClient, crate: Crate) -> None:
    for argument, words in (
        ({"new_size": "x"}, "resize.new_size: A valid integer"),
        ({"new_size": 1, "force": 1}, "resize.force: Unknown field"),
        (None, "resize: This field may not be null"),
        ([], "resize: Invalid data"),
    ):
        response = act(member, crate, {"resize": argument})
        assert response.status_code == 400
        assert words in response.json()["badRequest"]["message"]


def test_each_action_has_its_own_policy(
    client_for: Callable[..., APIClient], member: APIClient, anyone: APIClient, crate: Crate
) -> None:
    assert act(client_for("reader"), crate, {"resize": {"new_size": 2}}).status_code == 403
    response = act(member, crate, {"seal": None})
    assert response.status_code == 403
    assert "volume:force_delete" in response.json()["forbidden"]["message"]
    assert act(anyone, crate, {"explode": None}).status_code == 401


def test_actions_cannot_be_read(member: APIClient, crate: Crate) -> None:
    assert member.get(f"/v3/crates/{crate.pk}/action").status_code == 405
