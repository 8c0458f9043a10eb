"""A volume's key-value pairs over HTTP."""

from typing import Any

import pytest

from tests.accounts import Account
from tests.factories import VolumeFactory
from volumes.models import Volume


@pytest.fixture
def volume(member: Account) -> Volume:
    return VolumeFactory(project_id=member.project.pk, metadata={"a": "1", "b": "2"})


@pytest.fixture
def address(volume: Volume) -> str:
    return f"/v3/volumes/{volume.pk}/metadata"


def test_show(member: Account, address: str) -> None:
    assert member.client().get(address).json() == {"metadata": {"a": "1", "b": "2"}}
    assert member.client().get(f"{address}/a").json() == {"meta": {"a": "1"}}
    assert member.client().get(f"{address}/c").status_code == 404


def test_post_adds(member: Account, address: str) -> None:
    response = member.client().post(address, {"metadata": {"b": "3", "c": ""}})
    assert response.status_code == 200
    assert response.json() == {"metadata": {"a": "1", "b": "3", "c": ""}}
    assert member.client().get(address).json() == response.json()


def test_put_replaces(member: Account, address: str) -> None:
    response = member.client().put(address, {"metadata": {"z": "9"}})
    assert response.json() == {"metadata": {"z": "9"}}
    assert member.client().get(address).json() == response.json()


@pytest.mark.parametrize("key", ["b", "k8s.io/pvc", "with space"])
def test_one_key(member: Account, address: str, key: str) -> None:
    response = member.client().put(f"{address}/{key}", {"meta": {key: "new"}})
    assert response.json() == {"meta": {key: "new"}}
    assert member.client().get(address).json()["metadata"] == {"a": "1", "b": "2"} | {key: "new"}
    assert member.client().delete(f"{address}/{key}").status_code == 200
    assert member.client().delete(f"{address}/{key}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"metadata": None},
        {"metadata": ["a"]},
        {"metadata": {"a": 1}},
        {"metadata": {"": "a"}},
        {"metadata": {"k" * 256: "a"}},
        {"metadata": {"k": "v" * 256}},
        {"metadata": {}, "more": 1},
    ],
)
def test_refuses_what_is_no_metadata(member: Account, address: str, body: Any) -> None:
    assert member.client().post(address, body).status_code == 400


@pytest.mark.parametrize("body", [{"meta": {"other": "1"}}, {"meta": {}}, {"a": "1"}])
def test_the_body_holds_the_key_of_the_address(member: Account, address: str, body: Any) -> None:
    assert member.client().put(f"{address}/a", body).status_code == 400


@pytest.mark.parametrize("status", ["maintenance", "uploading"])
def test_not_in_every_status(member: Account, address: str, status: str) -> None:
    Volume.objects.update(status=status)
    for response in (
        member.client().post(address, {"metadata": {"a": "2"}}),
        member.client().delete(f"{address}/a"),
    ):
        assert response.status_code == 400
        assert status in response.json()["badRequest"]["message"]


class TestETag:
    def test_comes_with_3_15(self, member: Account, address: str) -> None:
        assert "ETag" not in member.client("3.14").get(address)
        assert member.client("3.15").get(address)["ETag"]

    def test_guards_a_write_against_what_the_client_has_not_seen(
        self, member: Account, address: str
    ) -> None:
        seen = member.client().get(address)["ETag"]
        body = {"metadata": {"mine": "1"}}
        first = member.client(HTTP_IF_MATCH=seen).put(address, body)
        assert first.status_code == 200
        late = member.client(HTTP_IF_MATCH=seen).put(address, {"metadata": {"late": "1"}})
        assert late.status_code == 412
        assert late.json()["preconditionFailed"]["code"] == 412
        assert member.client().get(address).json() == body
        again = member.client(HTTP_IF_MATCH=first["ETag"]).post(address, {"metadata": {}})
        assert again.status_code == 200
