"""The same POST twice, one effect; also when both come at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from storage_project.api.idempotency import delete_expired_replies
from storage_project.api.models import IdempotentReply
from tests.api.conftest import OTHER_PROJECT
from tests.api.crates import Crate


def create(
    client: APIClient, key: str | None = "k1", address: str = "/v3/crates", **crate: Any
) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"crate": {"size": 1} | crate}
    return client.post(address, body, format="json", headers=headers)


@pytest.mark.django_db
def test_a_repeated_request_gets_the_same_answer(member: APIClient) -> None:
    first, second = create(member), create(member)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.content == second.content
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert Crate.objects.count() == 1


@pytest.mark.django_db
def test_white_space_and_order_do_not_matter(member: APIClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    for content in (b'{"crate":{"size":1,"name":"x"}}', b'{"crate": {"name": "x", "size": 1}}'):
        response = member.generic(
            "POST", "/v3/crates", content, content_type="application/json", headers=headers
        )
        assert response.status_code == 202
    assert Crate.objects.count() == 1


@pytest.mark.django_db
def test_a_key_belongs_to_one_request(member: APIClient) -> None:
    create(member)
    for response in (create(member, size=2), create(member, address="/v3/crates/detail")):
        assert response.status_code == 422
        assert "unprocessableEntity" in response.json()
    assert Crate.objects.count() == 1


@pytest.mark.django_db
def test_keys_of_others_and_no_keys_are_apart(client_for: Callable[..., APIClient]) -> None:
    member = client_for("member")
    create(member)
    create(client_for("member", project_id=OTHER_PROJECT))
    create(member, "k2")
    create(member, None)
    create(member, None)
    assert Crate.objects.count() == 5


@pytest.mark.django_db
def test_errors_leave_nothing_behind(member: APIClient) -> None:
    assert create(member, size=0).status_code == 400
    assert create(member, size=101).status_code == 413
    assert create(member, name="cursed").status_code == 409
    assert not Crate.objects.exists()
    assert not IdempotentReply.objects.exists()
    assert create(member).status_code == 202


@pytest.mark.django_db
def test_permission_is_checked_before_an_answer_is_repeated(
    client_for: Callable[..., APIClient], member: APIClient
) -> None:
    create(member)
    assert create(client_for("reader")).status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "a b", "ü", "x" * 256])
def test_keys_that_are_none(member: APIClient, key: str) -> None:
    assert create(member, key).status_code == 400


@pytest.mark.django_db
def test_an_answer_is_forgotten_after_a_day(member: APIClient) -> None:
    create(member)
    IdempotentReply.objects.update(created_at=timezone.now() - timedelta(hours=25))
    delete_expired_replies()
    response = create(member, size=2)
    assert response.status_code == 202
    assert IdempotentReply.objects.count() == 1
    assert Crate.objects.count() == 2


@pytest.mark.django_db
def test_actions_too(member: APIClient) -> None:
    crate = create(member).json()["crate"]["id"]
    headers = {"Idempotency-Key": "k2"}
    for _ in range(2):
        response = member.post(
            f"/v3/crates/{crate}/action", {"resize": {"new_size": 4}}, "json", headers=headers
        )
        assert (response.status_code, response.content) == (202, b"")
    assert response.headers["Idempotency-Replayed"] == "true"


@pytest.fixture
def _emptied(transactional_db: None) -> Iterator[None]:
    """The crates are not the project's, so nobody else empties their table."""
    yield
    Crate.objects.all().delete()


@pytest.mark.usefixtures("_emptied")
def test_eight_at_once_make_one(client_for: Callable[..., APIClient]) -> None:
    start = Barrier(8)

    def send(_: int) -> Any:
        client = client_for("member")
        start.wait()
        try:
            return create(client)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert Crate.objects.count() == 1
