"""Servers over HTTP: which versions are spoken, and who sees which servers."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from storage_project.operations.models import Operation
from tests.accounts import Account
from tests.factories import AttachmentFactory, ServerFactory
from tests.operations.world import World
from volumes.models import Server

ROOT = "/compute/v2.1"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def get(account: Account, path: str, **query: Any) -> Any:
    response = account.client().get(f"{ROOT}{path}", query)
    assert response.status_code == 200, response.content
    return response.json()


def names(account: Account, path: str = "/servers", **query: Any) -> list[str]:
    return [server["name"] for server in get(account, path, **query)["servers"]]


class TestVersions:
    @pytest.mark.parametrize("address", ["/compute", "/compute/"])
    def test_there_is_one(self, db: None, address: str) -> None:
        response = APIClient().get(address)
        assert response.status_code == 200
        [version] = response.json()["versions"]
        assert (version["id"], version["version"], version["min_version"]) == (
            *("v2.1", "2.1"),
            "2.1",
        )
        assert version["links"][0]["href"].endswith("/compute/v2.1/")

    @pytest.mark.parametrize("address", [ROOT, f"{ROOT}/"])
    def test_at_its_address(self, db: None, address: str) -> None:
        response = APIClient().get(address)
        assert response.json()["version"]["status"] == "CURRENT"
        assert response["OpenStack-API-Version"] == "compute 2.1"
        assert response["X-OpenStack-Nova-API-Version"] == "2.1"
        assert "OpenStack-API-Version" in response["Vary"]

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"OpenStack-API-Version": "compute 2.1"},
            {"OpenStack-API-Version": "volume 3.50, compute latest"},
            {"X-OpenStack-Nova-API-Version": "2.1"},
        ],
    )
    def test_ours_is_answered(self, member: Account, headers: dict[str, str]) -> None:
        client = APIClient(HTTP_X_AUTH_TOKEN=member.secret)
        assert client.get(f"{ROOT}/servers", headers=headers).status_code == 200

    @pytest.mark.parametrize("header", ["OpenStack-API-Version", "X-OpenStack-Nova-API-Version"])
    @pytest.mark.parametrize("version", ["2.87", "2.0", "3.0", "x"])
    def test_others_are_refused(self, member: Account, header: str, version: str) -> None:
        value = version if header.startswith("X-") else f"compute {version}"
        client = APIClient(HTTP_X_AUTH_TOKEN=member.secret)
        response = client.get(f"{ROOT}/servers", headers={header: value})
        assert response.status_code == 406
        fault = response.json()["notAcceptable"]
        assert version in fault["message"]
        assert (fault["min_version"], fault["max_version"]) == ("2.1", "2.1")

    def test_an_unknown_address_is_a_fault(self, db: None) -> None:
        response = APIClient().get(f"{ROOT}/os-keypairs")
        assert response.status_code == 404
        assert response.json()["itemNotFound"]["code"] == 404


class TestList:
    @pytest.fixture
    def servers(self, member: Account, stranger: Account) -> None:
        kept = {"web-1": ("ACTIVE", "one"), "web-2": ("SHUTOFF", "one"), "db": ("PAUSED", "two")}
        for number, (name, (status, host)) in enumerate(kept.items()):
            ServerFactory(
                name=name,
                status=status,
                host=host,
                project_id=member.project.pk,
                created_at=NOON + timedelta(seconds=number),
            )
        ServerFactory(name="other", project_id=stranger.project.pk)

    @pytest.mark.parametrize("path", ["/servers", "/servers/detail"])
    def test_shows_ones_own_newest_first(
        self, member: Account, reader: Account, servers: None, path: str
    ) -> None:
        assert names(member, path) == names(reader, path) == ["db", "web-2", "web-1"]

    def test_of_all_projects_is_for_administrators(
        self, member: Account, admin: Account, servers: None
    ) -> None:
        assert len(names(member, all_tenants=1)) == 3
        assert names(admin) == []
        assert len(names(admin, all_tenants=1)) == 4
        assert len(names(admin, all_tenants="True", project_id=member.project.pk)) == 3

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"name": "web"}, {"web-1", "web-2"}),
            ({"name": "WEB-1"}, {"web-1"}),
            ({"status": "active"}, {"web-1"}),
            ({"host": "two"}, {"db"}),
            ({"uuid": "7"}, set()),
            ({"deleted": "True"}, set()),
            ({"deleted": "False"}, {"web-1", "web-2", "db"}),
            ({"flavor": "1", "image": "2", "whatever": "3"}, {"web-1", "web-2", "db"}),
        ],
    )
    def test_filters(
        self, member: Account, servers: None, query: dict[str, str], found: set[str]
    ) -> None:
        assert set(names(member, **query)) == found

    def test_finds_one_by_id(self, member: Account, servers: None) -> None:
        wanted = Server.objects.get(name="db")
        assert names(member, uuid=str(wanted.pk)) == ["db"]

    def test_sorts(self, member: Account, servers: None) -> None:
        assert names(member, sort_key="display_name", sort_dir="asc") == ["db", "web-1", "web-2"]

    @pytest.mark.parametrize("path", ["/servers", "/servers/detail"])
    def test_turns_pages(self, member: Account, servers: None, path: str) -> None:
        first = get(member, path, limit=2)
        assert [server["name"] for server in first["servers"]] == ["db", "web-2"]
        [link] = first["servers_links"]
        assert link["rel"] == "next"
        second = member.client().get(link["href"]).json()
        assert [server["name"] for server in second["servers"]] == ["web-1"]
        assert "servers_links" not in second

    def test_refuses_a_marker_of_somebody_else(self, member: Account, servers: None) -> None:
        other = Server.objects.get(name="other")
        response = member.client().get(f"{ROOT}/servers", {"marker": str(other.pk)})
        assert response.status_code == 400

    def test_costs_the_same_for_many(self, member: Account, servers: None) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as queries:
                get(member, "/servers/detail")
            return len(queries)

        few = queries()
        for server in ServerFactory.create_batch(20, project_id=member.project.pk):
            AttachmentFactory.create_batch(2, server_id=server.pk)
        assert queries() == few


class TestShow:
    def test_what_its_hypervisor_tells(self, member: Account, lab: World) -> None:
        attachment = lab.attached()
        server = lab.server()
        Server.objects.update(vcpus=2, memory_mib=4096)
        shown = get(member, f"/servers/{server.pk}")["server"]
        expected = {
            "id": str(server.pk),
            "name": "one",
            "status": "ACTIVE",
            "tenant_id": member.project.pk,
            "OS-EXT-STS:power_state": 1,
            "OS-EXT-STS:vm_state": "active",
            "os-extended-volumes:volumes_attached": [{"id": str(attachment.volume_id)}],
        }
        assert expected.items() <= shown.items()
        assert shown["flavor"]["id"] == "2-4096"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", shown["created"])
        assert shown["links"][0]["href"].endswith(f"/compute/v2.1/servers/{server.pk}")
        [listed] = get(member, "/servers/detail")["servers"]
        assert listed == shown

    @pytest.mark.parametrize(
        ("status", "power", "state"),
        [
            ("ACTIVE", 1, "active"),
            ("PAUSED", 3, "paused"),
            ("SHUTOFF", 4, "stopped"),
            ("ERROR", 0, "error"),
        ],
    )
    def test_how_it_stands(
        self, member: Account, server: Server, status: str, power: int, state: str
    ) -> None:
        Server.objects.update(status=status)
        shown = get(member, f"/servers/{server.pk}")["server"]
        assert (shown["OS-EXT-STS:power_state"], shown["OS-EXT-STS:vm_state"]) == (power, state)

    def test_its_host_is_for_administrators(
        self, member: Account, admin: Account, server: Server
    ) -> None:
        Server.objects.update(host="compute-7")
        assert "compute-7" not in str(get(member, f"/servers/{server.pk}"))
        shown = get(admin, f"/servers/{server.pk}")["server"]
        assert shown["OS-EXT-SRV-ATTR:host"] == "compute-7"
        assert shown["OS-EXT-SRV-ATTR:hypervisor_hostname"] == "compute-7"

    def test_servers_of_a_host_have_one_host_id(self, member: Account, admin: Account) -> None:
        own = {"project_id": member.project.pk}
        for host in ("one", "one", "two"):
            ServerFactory(host=host, **own)
        ServerFactory(host="one")
        shown = get(admin, "/servers/detail", all_tenants=1)["servers"]
        assert len({server["hostId"] for server in shown}) == 3

    @pytest.mark.parametrize("name", ["one", "7", str(UUID(int=7))])
    def test_what_is_not_there_is_not_found(
        self, member: Account, server: Server, name: str
    ) -> None:
        response = member.client().get(f"{ROOT}/servers/{name}")
        assert response.status_code == 404
        assert name in response.json()["itemNotFound"]["message"]

    def test_another_projects_is_not_there(self, stranger: Account, server: Server) -> None:
        assert stranger.client().get(f"{ROOT}/servers/{server.pk}").status_code == 404


class TestFormalities:
    """What clients ask every Compute service, also when they want something else."""

    @pytest.fixture(autouse=True)
    def servers(self, member: Account) -> None:
        for vcpus, memory_mib in ((2, 512), (1, 128), (2, 512)):
            ServerFactory(vcpus=vcpus, memory_mib=memory_mib, project_id=member.project.pk)

    def test_flavors_are_the_sizes_of_ones_servers(
        self, member: Account, stranger: Account
    ) -> None:
        flavors = get(member, "/flavors/detail")["flavors"]
        assert [(each["name"], each["vcpus"], each["ram"]) for each in flavors] == [
            ("1-128", 1, 128),
            ("2-512", 2, 512),
        ]
        brief = get(member, "/flavors")["flavors"]
        assert [each["id"] for each in brief] == ["1-128", "2-512"]
        assert get(member, "/flavors/2-512")["flavor"] == flavors[1]
        assert get(member, "/flavors/2-512/os-extra_specs") == {"extra_specs": {}}
        assert get(stranger, "/flavors")["flavors"] == []
        assert stranger.client().get(f"{ROOT}/flavors/2-512").status_code == 404

    def test_nothing_is_limited(self, member: Account, admin: Account) -> None:
        absolute = get(member, "/limits")["limits"]["absolute"]
        assert (absolute["maxTotalInstances"], absolute["totalInstancesUsed"]) == (-1, 3)
        assert (absolute["maxTotalRAMSize"], absolute["totalRAMUsed"]) == (-1, 1152)
        quotas = f"/os-quota-sets/{member.project.pk}"
        assert get(member, quotas)["quota_set"]["cores"] == -1
        assert get(member, f"{quotas}/defaults")["quota_set"]["cores"] == -1
        assert member.client().delete(f"{ROOT}{quotas}").status_code == 403
        assert admin.client().delete(f"{ROOT}{quotas}").status_code == 202
        detail = get(member, f"{quotas}/detail")["quota_set"]
        assert detail["cores"] == {"limit": -1, "in_use": 5, "reserved": 0}

    def test_what_others_have_is_for_administrators(
        self, member: Account, stranger: Account, admin: Account
    ) -> None:
        address = f"/os-quota-sets/{member.project.pk}/detail"
        assert get(admin, address)["quota_set"]["instances"]["in_use"] == 3
        assert stranger.client().get(f"{ROOT}{address}").status_code == 404
        assert admin.client().get(f"{ROOT}/os-quota-sets/nobodys").status_code == 404

    @pytest.mark.parametrize("address", ["/os-availability-zone", "/os-availability-zone/detail"])
    def test_there_is_one_zone(self, member: Account, address: str) -> None:
        [zone] = get(member, address)["availabilityZoneInfo"]
        assert (zone["zoneName"], zone["zoneState"]) == ("nova", {"available": True})


class TestPages:
    @pytest.mark.parametrize(
        "path", ["/servers", "/servers/detail", "/servers/{}", "/servers/{}/os-volume_attachments"]
    )
    def test_a_browser_gets_one(self, member: Account, server: Server, path: str) -> None:
        address = ROOT + path.format(server.pk)
        response = member.client().get(address, headers={"Accept": "text/html"})
        assert response.status_code == 200
        assert "text/html" in response["Content-Type"]
        assert str(server.pk) in response.content.decode()

    def test_every_page_leads_to_the_servers(self, member: Account) -> None:
        page = member.client().get("/v3/volumes", headers={"Accept": "text/html"}).content.decode()
        for path in ("servers", "servers/detail"):
            assert f'href="{ROOT}/{path}"' in page

    def test_with_a_form_to_attach(self, member: Account, reader: Account, server: Server) -> None:
        address = f"{ROOT}/servers/{server.pk}/os-volume_attachments"
        html = {"Accept": "text/html"}
        assert "volumeAttachment" in member.client().get(address, headers=html).content.decode()
        shown = reader.client().get(address, headers=html).content.decode()
        assert "<textarea" not in shown

    def test_described_in_the_document(self, db: None) -> None:
        paths = APIClient().get("/openapi.json").json()["paths"]
        described = paths["/compute/v2.1/servers/{server_id}/os-volume_attachments"]
        content = described["post"]["requestBody"]["content"]["application/json"]
        assert "volumeAttachment" in content["schema"]["properties"]
        [header] = [each for each in described["get"]["parameters"] if each["in"] == "header"]
        assert "compute 2.1" in header["description"]
        assert not Operation.objects.exists()
