"""The OpenAPI document, from what views declare; and its page, which needs no other host."""

import re
from typing import Any

import pytest
from rest_framework.test import APIClient

from storage_project.api.schema import describe_api


@pytest.fixture
def document(anyone: APIClient) -> Any:
    describe_api.cache_clear()
    yield anyone.get("/openapi.json").json()
    describe_api.cache_clear()


def follow(document: Any, schema: Any) -> Any:
    name = schema["$ref"].removeprefix("#/components/schemas/")
    return document["components"]["schemas"][name]


def test_each_address_is_described_once(document: Any) -> None:
    assert {"/v3/crates", "/v3/crates/{crate_id}", "/v3/crates/{crate_id}/action"} <= set(
        document["paths"]
    )
    assert not [path for path in document["paths"] if "url_project_id" in path]


def test_bodies_and_answers_in_their_envelopes(document: Any) -> None:
    operation = document["paths"]["/v3/crates"]["post"]
    content = operation["requestBody"]["content"]["application/json"]
    body = follow(document, content["schema"]["properties"]["crate"])
    assert {"size", "name", "group_id"} <= set(body["properties"])
    assert body["required"] == ["size"]
    assert content["examples"]["Example"]["value"] == {"crate": {"size": 1, "name": "apples"}}
    answer = operation["responses"]["2XX"]["content"]["application/json"]["schema"]
    assert "created_at" in follow(document, answer["properties"]["crate"])["properties"]
    rows = document["paths"]["/v3/crates"]["get"]["responses"]["2XX"]["content"]
    assert {"crates", "crates_links"} <= set(rows["application/json"]["schema"]["properties"])
    assert operation["security"] == [{"token": []}, {"basic": []}]
    assert "OpenStack-API-Version" in {item["name"] for item in operation["parameters"]}


def test_every_action_with_an_example(document: Any) -> None:
    operation = document["paths"]["/v3/crates/{crate_id}/action"]["post"]
    content = operation["requestBody"]["content"]["application/json"]
    names = [name for body in content["schema"]["oneOf"] for name in body["properties"]]
    assert names == ["resize", "resize", "seal"]
    values = [example["value"] for example in content["examples"].values()]
    assert {"seal": None} in values


def test_the_page_needs_no_other_host(anyone: APIClient) -> None:
    for address in ("/docs/", "/docs/?script="):
        response = anyone.get(address)
        assert response.status_code == 200
        for resource in re.findall(r'(?:src|href)="([^"]+)"', response.content.decode()):
            assert re.match(r"/\w", resource)


def test_the_whole_project_is_described(anyone: APIClient, settings: Any) -> None:
    settings.ROOT_URLCONF = "storage_project.urls"
    describe_api.cache_clear()
    paths = anyone.get("/openapi.json").json()["paths"]
    describe_api.cache_clear()
    assert {"/v3", "/v3/operations", "/identity/v3/auth/tokens"} <= set(paths)
