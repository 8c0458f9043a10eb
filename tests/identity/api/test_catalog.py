"""The catalog and its parts, and the documents that clients read before they sign in."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.identity.conftest import Account, JSONClient


def test_catalog(demo: Account) -> None:
    catalog = demo.client.get("/identity/v3/auth/catalog").json()["catalog"]
    urls = {
        (entry["type"], entry["name"]): {endpoint["url"] for endpoint in entry["endpoints"]}
        for entry in catalog
    }
    volumes = {f"http://testserver/v3/{demo.project.pk}"}
    assert urls == {
        ("block-storage", "cinder"): volumes,
        ("volumev3", "cinder"): volumes,
        ("identity", "keystone"): {"http://testserver/identity/v3"},
    }
    endpoint = catalog[0]["endpoints"][0]
    assert (endpoint["interface"], endpoint["region"], endpoint["region_id"]) == (
        "public",
        "RegionOne",
        "RegionOne",
    )


def test_compute_is_in_it_where_there_are_hypervisors(
    demo: Account, configure: Callable[[str], None]
) -> None:
    def entries() -> dict[str, set[str]]:
        catalog = demo.client.get("/identity/v3/auth/catalog").json()["catalog"]
        return {each["type"]: {one["url"] for one in each["endpoints"]} for each in catalog}

    configure("")
    without = entries()
    configure('[hypervisors.lab]\ndriver = "memory"\nservers = ["one"]')
    assert entries() == {**without, "compute": {"http://testserver/compute/v2.1"}}
    services = demo.client.get("/identity/v3/services?type=compute").json()["services"]
    assert [service["name"] for service in services] == ["nova"]


def test_catalog_behind_a_proxy(demo: Account, settings: Any) -> None:
    where = "/identity/v3/auth/catalog"

    def url(**headers: str) -> str:
        return demo.client.get(where, **headers).json()["catalog"][2]["endpoints"][0]["url"]

    forwarded = {"HTTP_X_FORWARDED_HOST": "api.example.org", "HTTP_X_FORWARDED_PROTO": "https"}
    assert url(**forwarded) == "https://api.example.org/identity/v3"
    settings.STORAGE_PUBLIC_URL = "https://storage.example.org:8776"
    assert url(**forwarded) == "https://storage.example.org:8776/identity/v3"


@pytest.mark.parametrize("plural", ["services", "endpoints", "regions", "domains"])
def test_parts_by_list_and_by_id(demo: Account, plural: str) -> None:
    listed = demo.client.get(f"/identity/v3/{plural}").json()[plural]
    assert listed
    for entry in listed:
        where = f"/identity/v3/{plural}/{entry['id']}"
        assert entry["links"] == {"self": f"http://testserver{where}"}
        assert demo.client.get(where).json() == {plural.removesuffix("s"): entry}
    assert demo.client.get(f"/identity/v3/{plural}/none").status_code == 404
    assert demo.client.post(f"/identity/v3/{plural}", {}).status_code == 405


def test_parts_agree_with_the_catalog(demo: Account) -> None:
    catalog = demo.client.get("/identity/v3/auth/catalog").json()["catalog"]
    services = demo.client.get("/identity/v3/services").json()["services"]
    endpoints = demo.client.get("/identity/v3/endpoints").json()["endpoints"]
    assert {entry["id"] for entry in catalog} == {service["id"] for service in services}
    assert {
        (entry["id"], endpoint["id"]) for entry in catalog for endpoint in entry["endpoints"]
    } == {(endpoint["service_id"], endpoint["id"]) for endpoint in endpoints}


def test_parts_by_property(demo: Account) -> None:
    def listed(query: str) -> list[str]:
        answer = demo.client.get(f"/identity/v3/{query}").json()
        return [entry["id"] for entry in next(iter(answer.values()))]

    assert len(listed("services?type=volumev3")) == 1
    assert len(listed("services?name=cinder")) == 2
    assert len(listed("endpoints?interface=public")) == 3
    assert listed("domains?name=Default") == ["default"]
    assert listed("domains?name=Other") == []


def test_versions_are_open_to_all(db: None) -> None:
    client = JSONClient(HTTP_X_AUTH_TOKEN="khoi_stale")
    response = client.get("/identity/")
    assert response.status_code == 300
    [version] = response.json()["versions"]["values"]
    assert version["id"] == "v3.14"
    assert version["links"] == [{"rel": "self", "href": "http://testserver/identity/v3/"}]
    for where in ("/identity/v3", "/identity/v3/"):
        response = client.get(where)
        assert response.status_code == 200
        assert response.json() == {"version": version}


def test_everything_else_needs_a_caller(db: None) -> None:
    for where in ("auth/catalog", "projects", "users", "roles", "domains", "services"):
        assert JSONClient().get(f"/identity/v3/{where}").status_code == 401


def test_unknown_addresses_answer_in_the_same_form(demo: Account) -> None:
    response = demo.client.get("/identity/v3/groups")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == 404
