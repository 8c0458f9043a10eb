"""The details in which a server goes wrong that only looks like Cinder."""

from typing import Any

import openstack
import pytest
import requests
from keystoneauth1.discover import Discover
from keystoneauth1.session import Session

from tests.clients.account import Account


def test_discovery_needs_no_token(demo: Account) -> None:
    for path, code in (("/", 300), ("/v3/", 200), ("/v3", 200), (f"/v3/{demo.project_id}", 200)):
        answer = requests.get(demo.url + path, timeout=60)
        assert answer.status_code == code
        [version] = answer.json()["versions"]
        assert (version["min_version"], version["version"]) == ("3.0", "3.71")
    [found] = Discover(Session(), demo.url).version_data()
    assert (found["version"], found["url"]) == ((3, 0), f"{demo.url}/v3/")
    assert (found["min_microversion"], found["max_microversion"]) == ((3, 0), (3, 71))
    assert requests.get(f"{demo.url}/identity", timeout=60).status_code == 300
    assert requests.get(f"{demo.url}/identity/v3", timeout=60).status_code == 200


def test_addresses_are_those_of_the_proxy(member: Account) -> None:
    proxy = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "storage.example.org"}
    outside = "https://storage.example.org"
    [version] = requests.get(f"{member.url}/v3/", headers=proxy, timeout=60).json()["versions"]
    assert version["links"][0]["href"] == f"{outside}/v3/"
    made = member.http("POST", "/v3/volumes", {"volume": {"size": 1}}, **proxy).json()["volume"]
    assert {link["href"].partition("/v")[0] for link in made["links"]} <= {
        outside,
        f"{outside}/{member.project_id}",
    }
    assert made["operations"].startswith(outside)
    token = member.http(
        "GET",
        "/identity/v3/auth/tokens",
        **proxy,
        **{"X-Subject-Token": member.session.get_token() or ""},
    ).json()["token"]
    urls = {endpoint["url"] for entry in token["catalog"] for endpoint in entry["endpoints"]}
    assert urls == {
        f"{outside}/v3/{member.project_id}",
        f"{outside}/identity/v3",
        f"{outside}/compute/v2.1",
    }


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("volume 3.50", "3.50"),
        ("compute 2.1, volume 3.12", "3.12"),
        ("volume latest", "3.71"),
        ("block-storage 3.8", "3.8"),
        ("compute 2.1", "3.0"),
        (None, "3.0"),
    ],
)
def test_microversions(demo: Account, asked: str | None, answered: str) -> None:
    headers = {"OpenStack-API-Version": asked} if asked else {}
    answer = demo.http("GET", "/v3/volumes", microversion=None, **headers)
    assert answer.status_code == 200
    assert answer.headers["OpenStack-API-Version"] == f"volume {answered}"
    assert "OpenStack-API-Version" in answer.headers["Vary"]


def test_microversions_that_do_not_exist(demo: Account) -> None:
    fault = demo.http("GET", "/v3/volumes", microversion="3.72")
    assert fault.status_code == 406
    said = fault.json()["notAcceptable"]
    assert (said["min_version"], said["max_version"]) == ("3.0", "3.71")
    assert demo.http("GET", "/v3/volumes", microversion="three").status_code == 400
    assert demo.http("GET", "/v3/messages", microversion="3.2").status_code == 404


def test_request_ids(demo: Account) -> None:
    headers = demo.http("GET", "/v3/volumes").headers
    assert headers["X-Openstack-Request-Id"].startswith("req-")
    assert headers["X-Compute-Request-Id"] == headers["X-Openstack-Request-Id"]


def test_a_token_that_ended_is_replaced(demo: Account) -> None:
    """By the header of the refusal the client knows where to get another."""
    connection = demo.connect()
    ended = connection.auth_token
    demo.http("DELETE", "/identity/v3/auth/tokens", **{"X-Subject-Token": ended})
    refused = demo.http("GET", "/v3/volumes", **{"X-Auth-Token": ended})
    assert refused.status_code == 401
    assert f'uri="{demo.url}/identity/v3"' in refused.headers["WWW-Authenticate"]
    assert isinstance(list(connection.block_storage.volumes()), list)
    assert connection.auth_token != ended


def test_a_token_and_an_address_are_enough(demo: Account) -> None:
    """Agents are given these two, and no password."""
    auth = {"endpoint": f"{demo.url}/v3", "token": demo.session.get_token()}
    connection = openstack.connect(
        load_yaml_config=False, load_envvars=False, auth_type="admin_token", auth=auth
    )
    assert isinstance(list(connection.block_storage.volumes()), list)


def test_addresses_with_and_without_the_project(demo: Account) -> None:
    for path in ("/v3/volumes", f"/v3/{demo.project_id}/volumes"):
        assert demo.http("GET", path).status_code == 200
    wrong = demo.http("GET", f"/v3/{'0' * 32}/volumes")
    assert wrong.status_code == 400
    assert "Malformed request url" in wrong.json()["badRequest"]["message"]


@pytest.mark.parametrize("path", ["/v3/volumes/", "/v3//volumes", "//v3/{project}//volumes/"])
def test_slashes_too_many(member: Account, path: str) -> None:
    """A redirect would lose the body."""
    body = {"volume": {"size": 1, "name": "slashed"}}
    answer = member.http("POST", path.format(project=member.project_id), body)
    assert answer.status_code == 202
    assert answer.json()["volume"]["name"] == "slashed"


def test_loose_values(member: Account) -> None:
    """Numbers as text, words for booleans, null for nothing."""
    body: dict[str, Any] = {
        "size": "1",
        "display_name": "loose",
        "display_description": "old names",
        "multiattach": "False",
        "snapshot_id": None,
        "source_volid": None,
        "imageRef": "",
        "backup_id": None,
        "consistencygroup_id": None,
        "metadata": None,
        "availability_zone": None,
        "volume_type": None,
    }
    made = member.http("POST", "/v3/volumes", {"volume": body}).json()["volume"]
    assert (made["size"], made["name"], made["description"]) == (1, "loose", "old names")
    address = f"/v3/volumes/{made['id']}"
    member.wait_for(made["id"])
    for word, shown in (("True", "true"), ("0", "false"), (1, "true"), (False, "false")):
        action = {"os-set_bootable": {"bootable": word}}
        assert member.http("POST", f"{address}/action", action).status_code == 200
        assert member.http("GET", address).json()["volume"]["bootable"] == shown
    extend = {"os-extend": {"new_size": "2"}}
    assert member.http("POST", f"{address}/action", extend).status_code == 202
    member.wait_for_size(made["id"], 2)
    renamed = {"volume": {"display_name": "tight"}}
    assert member.http("PUT", address, renamed).json()["volume"]["name"] == "tight"
    [found] = member.http("GET", "/v3/volumes?display_name=tight").json()["volumes"]
    assert found["id"] == made["id"]


@pytest.mark.parametrize("yes", ["1", "True", "true"])
def test_all_tenants(admin: Account, member: Account, yes: str) -> None:
    volume = member.create("everywhere")

    def listed(account: Account) -> set[str]:
        answer = account.http("GET", f"/v3/volumes?all_tenants={yes}")
        return {each["id"] for each in answer.json()["volumes"]}

    assert volume.id in listed(admin)
    assert listed(member) == {volume.id}


def test_unknown_words_in_a_query_mean_nothing(member: Account) -> None:
    volume = member.create("asked")
    answer = member.http("GET", "/v3/volumes?glitter=1&name=asked", microversion="3.30")
    assert [each["id"] for each in answer.json()["volumes"]] == [volume.id]


def test_links_lead_to_the_next_page(member: Account) -> None:
    made = [member.create(f"v{number}").id for number in range(3)]
    page = member.http("GET", "/v3/volumes/detail?limit=2&sort=name:asc").json()
    assert [each["id"] for each in page["volumes"]] == made[:2]
    [link] = page["volumes_links"]
    assert link["rel"] == "next"
    rest = member.http("GET", link["href"].removeprefix(member.url)).json()
    assert [each["id"] for each in rest["volumes"]] == made[2:]
    assert "volumes_links" not in rest
