"""What operators see of the installation: services, pools, zones and filters."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.accounts import Account
from tests.factories import PoolFactory, ServiceFactory
from volumes.models import Pool, Service


@pytest.fixture
def dead(db: None) -> Service:
    hour_ago = timezone.now() - timedelta(hours=1)
    return ServiceFactory(host="khoi@dead", availability_zone="moon", heartbeat_at=hour_ago)


class TestServices:
    def test_list(self, admin: Account, pool: Pool, dead: Service) -> None:
        services = admin.client("3.0").get("/v3/os-services").json()["services"]
        by_host = {service["host"]: service for service in services}
        assert by_host["khoi@dead"]["state"] == "down"
        living = by_host["khoi@fast"]
        assert living.pop("updated_at")
        assert living == {
            "binary": "cinder-volume",
            "host": "khoi@fast",
            "zone": "nova",
            "status": "enabled",
            "state": "up",
            "disabled_reason": None,
            "down_reason": None,
        }

    def test_one_that_cannot_work_says_why(self, admin: Account) -> None:
        ServiceFactory(binary="cinder-backup", host="khoi@main", down_reason="The disk is away.")
        [service] = admin.client().get("/v3/os-services").json()["services"]
        assert (service["state"], service["down_reason"]) == ("down", "The disk is away.")

    def test_later_fields(self, admin: Account, pool: Pool) -> None:
        for microversion, fields in (("3.7", {"cluster"}), ("3.49", {"cluster", "backend_state"})):
            [service] = admin.client(microversion).get("/v3/os-services").json()["services"]
            assert service.keys() >= fields

    @pytest.mark.parametrize(
        ("query", "hosts"),
        [
            ("host=khoi@dead", {"khoi@dead"}),
            ("binary=cinder-scheduler", {"khoi"}),
            ("binary=cinder-volume&host=nowhere", set()),
        ],
    )
    def test_filters(
        self, admin: Account, pool: Pool, dead: Service, query: str, hosts: set[str]
    ) -> None:
        ServiceFactory(binary="cinder-scheduler", host="khoi")
        services = admin.client().get(f"/v3/os-services?{query}").json()["services"]
        assert {service["host"] for service in services} == hosts

    def test_switching(self, admin: Account, pool: Pool) -> None:
        named = {"binary": "cinder-volume", "host": "khoi@fast"}
        response = admin.client().put("/v3/os-services/disable", named)
        assert response.status_code == 200
        assert response.json() == named | {
            "service": "cinder-volume",
            "status": "disabled",
            "disabled": True,
            "disabled_reason": None,
        }
        with_reason = named | {"disabled_reason": "new disks"}
        admin.client().put("/v3/os-services/disable-log-reason", with_reason)
        [service] = admin.client().get("/v3/os-services").json()["services"]
        assert (service["status"], service["disabled_reason"]) == ("disabled", "new disks")
        enabled = admin.client().put("/v3/os-services/enable", named).json()
        assert (enabled["status"], enabled["disabled_reason"]) == ("enabled", None)

    @pytest.mark.parametrize(
        ("act", "body", "status"),
        [
            ("enable", {"binary": "cinder-volume", "host": "nowhere"}, 404),
            ("enable", {"binary": "cinder-volume"}, 400),
            ("disable", {}, 400),
            ("disable-log-reason", {"binary": "cinder-volume", "host": "khoi@fast"}, 400),
            ("freeze", {"host": "khoi@fast"}, 404),
        ],
    )
    def test_refusals(
        self, admin: Account, pool: Pool, act: str, body: dict[str, str], status: int
    ) -> None:
        assert admin.client().put(f"/v3/os-services/{act}", body).status_code == status

    def test_is_for_admins(self, member: Account) -> None:
        assert member.client().get("/v3/os-services").status_code == 403
        assert member.client().put("/v3/os-services/enable", {}).status_code == 403


class TestPools:
    def pools(self, response: Any) -> list[dict[str, Any]]:
        assert response.status_code == 200
        pools: list[dict[str, Any]] = response.json()["pools"]
        return pools

    def test_names(self, admin: Account, pool: Pool) -> None:
        response = admin.client().get("/v3/scheduler-stats/get_pools")
        assert self.pools(response) == [{"name": "khoi@fast#ssd"}]

    def test_detail(self, admin: Account, pool: Pool) -> None:
        Pool.objects.update(capabilities={"compression": True}, allocated_gib=7)
        [shown] = self.pools(admin.client().get("/v3/scheduler-stats/get_pools?detail=True"))
        capabilities = shown["capabilities"]
        assert capabilities["volume_backend_name"] == "fast"
        assert capabilities["pool_name"] == "ssd"
        assert capabilities["total_capacity_gb"] == 1000
        assert capabilities["allocated_capacity_gb"] == 7
        assert capabilities["compression"] is True
        assert capabilities["backend_state"] == "up"

    def test_by_name(self, admin: Account, pool: Pool) -> None:
        PoolFactory()
        client = admin.client()
        for name, count in (("khoi@fast%23ssd", 1), ("khoi@fast", 0), ("", 2)):
            response = client.get(f"/v3/scheduler-stats/get_pools?name={name}")
            assert len(self.pools(response)) == count

    def test_the_number_of_queries_is_constant(
        self, admin: Account, django_assert_num_queries: Any
    ) -> None:
        PoolFactory.create_batch(5)
        with django_assert_num_queries(2):
            admin.client().get("/v3/scheduler-stats/get_pools?detail=1")

    def test_is_for_admins(self, member: Account) -> None:
        assert member.client().get("/v3/scheduler-stats/get_pools").status_code == 403


def test_zones(member: Account, pool: Pool, dead: Service) -> None:
    zones = member.client().get("/v3/os-availability-zone").json()["availabilityZoneInfo"]
    assert zones == [
        {"zoneName": "moon", "zoneState": {"available": False}},
        {"zoneName": "nova", "zoneState": {"available": True}},
    ]


class TestResourceFilters:
    def filters(self, response: Any) -> dict[str, list[str]]:
        assert response.status_code == 200
        found = response.json()["resource_filters"]
        return {each["resource"]: each["filters"] for each in found}

    def test_of_all_lists(self, member: Account) -> None:
        found = self.filters(member.client("3.33").get("/v3/resource_filters"))
        assert {"name", "status", "metadata"} <= set(found["volume"])
        assert "name~" not in found["volume"]
        assert "migration_status" not in found["volume"]
        assert {"pool", "message", "operation", "volume_type"} <= found.keys()

    def test_of_one(self, admin: Account) -> None:
        found = self.filters(admin.client().get("/v3/resource_filters?resource=volume"))
        assert found.keys() == {"volume"}
        assert {"name~", "migration_status", "created_at"} <= set(found["volume"])

    def test_exists_from_3_33_on(self, member: Account) -> None:
        assert member.client("3.32").get("/v3/resource_filters").status_code == 404
