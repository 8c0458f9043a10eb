"""What clients ask before anything else, without credentials, also through a proxy."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.api.conftest import PROJECT

DASHED = "11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("address", "status"),
    [("/", 300), ("/v3/", 200), ("/v3", 200), (f"/v3/{PROJECT}", 200), (f"/v3/{DASHED}/", 200)],
)
def test_versions(anyone: APIClient, address: str, status: int) -> None:
    response = anyone.get(address)
    assert response.status_code == status
    [version] = response.json()["versions"]
    assert version["id"] == "v3.0"
    assert version["status"] == "CURRENT"
    assert (version["min_version"], version["version"]) == ("3.0", "3.71")
    assert version["links"] == [{"rel": "self", "href": "http://testserver/v3/"}]
    assert version["media-types"][0]["base"] == "application/json"
    assert version["updated"].endswith("Z")


def link(client: APIClient, **headers: str) -> str:
    versions = client.get("/v3/", headers=headers).json()["versions"]
    return str(versions[0]["links"][0]["href"])


def test_the_address_is_the_one_that_the_client_used(anyone: APIClient, settings: Any) -> None:
    assert link(anyone, Host="khoi:8776") == "http://khoi:8776/v3/"
    proxied = {"X-Forwarded-Host": "storage.example", "X-Forwarded-Proto": "https"}
    assert link(anyone, **proxied) == "https://storage.example/v3/"
    settings.STORAGE_PUBLIC_URL = "https://public.example"
    assert link(anyone, **proxied) == "https://public.example/v3/"


def test_a_misspelt_resource_is_no_project(anyone: APIClient) -> None:
    for address in ("/v3/cluster", "/v3/clusters/detail", "/v4", "/v3.1"):
        assert anyone.get(address).status_code == 404


def test_an_impossible_host_is_a_bad_request(anyone: APIClient) -> None:
    response = anyone.get("/v3/", headers={"Host": "a b"})
    assert response.status_code == 400
    assert "badRequest" in response.json()


@pytest.mark.django_db
def test_extensions(member: APIClient, anyone: APIClient) -> None:
    for address in ("/v3/extensions", f"/v3/{PROJECT}/extensions"):
        extensions = member.get(address).json()["extensions"]
        assert "os-quota-sets" in {extension["alias"] for extension in extensions}
        for extension in extensions:
            assert set(extension) == {"alias", "name", "description", "updated", "links"}
    assert anyone.get("/v3/extensions").status_code == 401
