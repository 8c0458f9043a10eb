"""Input: what is read, what is refused, and in which words."""

from typing import Any
from uuid import UUID

import pytest
from rest_framework.test import APIClient

from tests.api.crates import Crate

pytestmark = pytest.mark.django_db

NEWEST = {"OpenStack-API-Version": "volume latest"}


def create(client: APIClient, body: Any, **headers: str) -> Any:
    return client.post("/v3/crates", body, format="json", headers=headers)


def refusal(client: APIClient, body: Any, **headers: str) -> str:
    response = create(client, body, **headers)
    assert response.status_code == 400, response.content
    assert not Crate.objects.exists()
    return str(response.json()["badRequest"]["message"])


def test_what_is_sent_is_what_is_read(member: APIClient) -> None:
    body = {
        "crate": {
            "size": "3",
            "display_name": "  apples ",
            "sealed": "True",
            "group_id": "7" * 32,
            "metadata": {"k": "v"},
            "user_id": "ignored",
        },
        "OS-SCH-HNT:hints": {"near": "here"},
    }
    response = create(member, body, **NEWEST)
    assert response.status_code == 202
    crate = Crate.objects.get()
    assert (crate.size_gib, crate.name, crate.sealed) == (3, "apples", True)
    assert crate.group_id == UUID("7" * 32)
    assert crate.metadata == {"k": "v"}


def test_nulls_are_taken_where_clients_send_them(member: APIClient) -> None:
    body = {"crate": {"size": 1, "name": None, "metadata": None, "group_id": None}}
    assert create(member, body, **NEWEST).status_code == 202
    assert Crate.objects.get().name is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "crate: This field is required"),
        ({"crate": None}, "crate: This field may not be null"),
        ({"crate": []}, "crate: Invalid data"),
        ({"crate": {}}, "crate.size: This field is required"),
        ({"crate": {"size": None}}, "crate.size: This field may not be null"),
        ({"crate": {"size": 0}}, "crate.size: Ensure this value is greater"),
        ({"crate": {"size": 2**31}}, "crate.size: Ensure this value is less"),
        ({"crate": {"size": 10**40}}, "crate.size: A valid integer"),
        ({"crate": {"size": "1.5"}}, "crate.size: A valid integer"),
        ({"crate": {"size": 1.0}}, "crate.size: A valid integer"),
        ({"crate": {"size": True}}, "crate.size: A valid integer"),
        ({"crate": {"size": [1]}}, "crate.size: A valid integer"),
        ({"crate": {"size": 1, "sealed": "maybe"}}, "crate.sealed: Must be a valid boolean"),
        ({"crate": {"size": 1, "sealed": 1.0}}, "crate.sealed: Must be a valid boolean"),
        ({"crate": {"size": 1, "sealed": {}}}, "crate.sealed: Must be a valid boolean"),
        ({"crate": {"size": 1, "name": 5}}, "crate.name: Not a valid string"),
        ({"crate": {"size": 1, "name": "x" * 256}}, "crate.name: Ensure this field has no more"),
        ({"crate": {"size": 1, "metadata": []}}, "crate.metadata: Expected a dictionary"),
        ({"crate": {"size": 1, "metadata": {"k": 1}}}, "crate.metadata.k: Not a valid string"),
        ({"crate": {"size": 1, "metadata": {"": "v"}}}, "crate.metadata: The key ''"),
        ({"crate": {"size": 1, "metadata": {"k" * 256: "v"}}}, "crate.metadata: The key 'kkk"),
        ({"crate": {"sice": 1}}, "crate.sice: Unknown field; did you mean 'size'?"),
        ({"crate": {"size": 1, "zzz": 1}}, "crate.zzz: Unknown field."),
        ({"crate": {"size": 1}, "creat": {}}, "creat: Unknown field"),
        ({"volume": {"size": 1}}, "volume: Unknown field"),
        ({"crate": {"size": 1}, "OS-SCH-HNT:hints": 5}, "OS-SCH-HNT:hints: Expected a dictionary"),
    ],
)
def test_refusals_name_the_field(member: APIClient, body: Any, words: str) -> None:
    assert words in refusal(member, body)


def test_a_field_below_its_microversion_says_which_it_needs(member: APIClient) -> None:
    body = {"crate": {"size": 1, "group_id": "7" * 32}}
    assert "crate.group_id: This field is for microversions from 3.13" in refusal(member, body)


def test_null_for_a_field_below_its_microversion_means_nothing(member: APIClient) -> None:
    assert create(member, {"crate": {"size": 1, "group_id": None}}).status_code == 202


def test_an_id_is_text(member: APIClient) -> None:
    for wrong in (7, "7", "x" * 32, {"id": 1}):
        body = {"crate": {"size": 1, "group_id": wrong}}
        assert "crate.group_id" in refusal(member, body, **NEWEST)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[" * 5000, "not valid JSON"),
        (b'{"crate": NaN}', "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b'"crate"', "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"crate": {"size": 1, "metadata": {"k": "a\\u0000b"}}}', "NUL"),
        (b'{"crate": {"size": 1, "a\\u0000": 1}}', "NUL"),
        (b"", "crate: This field is required"),
    ],
)
def test_what_is_no_object_is_refused(member: APIClient, content: bytes, words: str) -> None:
    response = member.generic("POST", "/v3/crates", content, content_type="application/json")
    assert response.status_code == 400
    assert words in response.json()["badRequest"]["message"]


def test_an_escaped_backslash_is_no_nul(member: APIClient) -> None:
    content = rb'{"crate": {"size": 1, "name": "a\\u0000"}}'
    response = member.generic("POST", "/v3/crates", content, content_type="application/json")
    assert response.status_code == 202


def test_a_body_that_is_too_large(member: APIClient, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    response = create(member, {"crate": {"size": 1, "name": "x" * 2000}})
    assert response.status_code == 413
    assert "overLimit" in response.json()
