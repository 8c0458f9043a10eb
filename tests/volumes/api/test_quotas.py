"""Quotas and limits over HTTP."""

from typing import Any

import pytest

from tests.accounts import Account
from tests.factories import VolumeTypeFactory
from volumes import quota
from volumes.models import QuotaUsage, VolumeType

PER_TYPE = f"gigabytes_{VolumeType.DEFAULT_NAME}"


@pytest.fixture
def address(member: Account) -> str:
    return f"/v3/os-quota-sets/{member.project.pk}"


class TestQuotaSets:
    def test_show(self, member: Account, address: str) -> None:
        quotas = member.client().get(address).json()["quota_set"]
        assert quotas["id"] == member.project.pk
        assert quotas.items() >= quota.DEFAULTS.items()
        assert quotas[PER_TYPE] == -1

    @pytest.mark.parametrize("query", ["?usage=True", "/detail"])
    def test_usage(self, member: Account, address: str, query: str) -> None:
        member.client().post("/v3/volumes", {"volume": {"size": 3}})
        quotas = member.client().get(f"{address}{query}").json()["quota_set"]
        nothing = {"reserved": 0, "allocated": 0}
        assert quotas["gigabytes"] == {"limit": 1000, "in_use": 3, **nothing}
        assert quotas[PER_TYPE] == {"limit": -1, "in_use": 3, **nothing}
        assert quotas["snapshots"] == {"limit": 10, "in_use": 0, **nothing}

    def test_update(self, admin: Account, member: Account, address: str) -> None:
        VolumeTypeFactory(name="fast")
        project_id = member.project.pk
        body = {"tenant_id": project_id, "volumes": 3, "gigabytes": "50", "volumes_fast": 1}
        response = admin.client().put(address, {"quota_set": body})
        assert response.status_code == 200
        quotas = member.client().get(address).json()["quota_set"]
        assert (quotas["volumes"], quotas["gigabytes"], quotas["volumes_fast"]) == (3, 50, 1)
        assert quotas == {"id": project_id, **response.json()["quota_set"]}
        assert admin.client().delete(address).status_code == 200
        quotas = member.client().get(address).json()["quota_set"]
        assert quotas["volumes"] == quota.DEFAULTS["volumes"]

    @pytest.mark.parametrize(
        "limits",
        [{"colours": 3}, {"volumes": -2}, {"volumes": "many"}, {"volumes": 2**40}, [], None],
    )
    def test_refuses_what_is_no_limit(self, admin: Account, address: str, limits: Any) -> None:
        response = admin.client().put(address, {"quota_set": limits})
        assert response.status_code == 400

    def test_another_projects_is_an_admins_business(
        self, member: Account, admin: Account, address: str
    ) -> None:
        for suffix in ("", "?usage=1", "/defaults", "/detail"):
            others = f"/v3/os-quota-sets/{admin.project.pk}{suffix}"
            assert member.client().get(others).status_code == 404
            assert admin.client().get(f"{address}{suffix}").status_code == 200
        assert member.client().put(address, {"quota_set": {"volumes": -1}}).status_code == 403
        assert member.client().delete(address).status_code == 403

    def test_of_a_project_that_exists(self, admin: Account) -> None:
        """A name in place of the id would set limits that count for nobody."""
        address = f"/v3/os-quota-sets/{admin.project.name}"
        assert admin.client().get(address).status_code == 404
        assert admin.client().put(address, {"quota_set": {"volumes": 3}}).status_code == 404
        assert admin.client().delete(address).status_code == 404

    def test_defaults(self, member: Account, admin: Account, address: str) -> None:
        classes = "/v3/os-quota-class-sets/default"
        response = admin.client().put(classes, {"quota_class_set": {"volumes": 77}})
        assert response.json()["quota_class_set"]["volumes"] == 77
        assert admin.client().get(classes).json()["quota_class_set"]["volumes"] == 77
        assert admin.client().get(classes).json()["quota_class_set"]["id"] == "default"
        admin.client().put(address, {"quota_set": {"volumes": 5}})
        own = member.client().get(address).json()["quota_set"]
        default = member.client().get(f"{address}/defaults").json()["quota_set"]
        assert (own["volumes"], default["volumes"]) == (5, 77)

    def test_there_is_one_class(self, admin: Account) -> None:
        address = "/v3/os-quota-class-sets/gold"
        assert admin.client().get(address).status_code == 404
        assert admin.client().put(address, {"quota_class_set": {}}).status_code == 404


class TestLimits:
    def test_absolute(self, member: Account) -> None:
        member.client().post("/v3/volumes", {"volume": {"size": 3}})
        QuotaUsage.objects.filter(resource="gigabytes").update(reserved=2)
        assert member.client().get("/v3/limits").json() == {
            "limits": {
                "rate": [],
                "absolute": {
                    "maxTotalVolumes": 10,
                    "maxTotalVolumeGigabytes": 1000,
                    "maxTotalSnapshots": 10,
                    "maxTotalBackups": 10,
                    "maxTotalBackupGigabytes": 1000,
                    "totalVolumesUsed": 1,
                    "totalGigabytesUsed": 5,
                    "totalSnapshotsUsed": 0,
                    "totalBackupsUsed": 0,
                    "totalBackupGigabytesUsed": 0,
                },
            }
        }

    def test_of_another_project_for_admins_from_3_39_on(
        self, member: Account, admin: Account
    ) -> None:
        member.client().post("/v3/volumes", {"volume": {"size": 3}})

        def used(account: Account, microversion: str, project_id: str) -> int:
            client = account.client(microversion)
            limits = client.get(f"/v3/limits?project_id={project_id}").json()["limits"]
            return int(limits["absolute"]["totalGigabytesUsed"])

        assert used(admin, "3.39", member.project.pk) == 3
        assert used(admin, "3.38", member.project.pk) == 0
        assert used(member, "3.39", admin.project.pk) == 3
