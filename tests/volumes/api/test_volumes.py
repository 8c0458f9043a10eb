"""Volumes over HTTP, in the forms that Block Storage clients expect."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from storage_project.operations.models import Operation
from tests.accounts import Account
from tests.factories import VolumeFactory, VolumeTypeFactory
from volumes.models import Pool, QuotaUsage, Volume, VolumeType
from volumes.services.quotas import set_limits

# The same in every process that collects the tests.
NOBODYS_ID = "5d1d6ae8-92b0-4b52-a5a6-6e0f3b3a9d10"

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
# What cinderclient sends for `cinder create 1`.
NULLS = {
    "consistencygroup_id": None,
    "snapshot_id": None,
    "name": None,
    "description": None,
    "volume_type": None,
    "availability_zone": None,
    "metadata": {},
    "imageRef": None,
    "source_volid": None,
    "backup_id": None,
}
ALWAYS = {
    "id",
    "name",
    "description",
    "status",
    "size",
    "volume_type",
    "availability_zone",
    "bootable",
    "multiattach",
    "encrypted",
    "metadata",
    "attachments",
    "links",
    "user_id",
    "created_at",
    "updated_at",
    "snapshot_id",
    "source_volid",
    "consistencygroup_id",
    "replication_status",
    "os-vol-tenant-attr:tenant_id",
    "operations",
}
FOR_ADMINS = {
    "os-vol-host-attr:host",
    "os-vol-mig-status-attr:migstat",
    "os-vol-mig-status-attr:name_id",
    "migration_status",
}


def fault(response: Any) -> str:
    """The message of an error."""
    [(_, body)] = response.json().items()
    assert body["code"] == response.status_code
    return str(body["message"])


def make(account: Account, **fields: Any) -> Volume:
    return VolumeFactory(project_id=account.project.pk, user_id=account.user.pk, **fields)


class TestCreate:
    def test_answers_with_the_whole_volume(self, member: Account, pool: Pool) -> None:
        body = {"size": 2, "name": "data", "description": "rows", "metadata": {"a": "b"}}
        response = member.client().post("/v3/volumes", {"volume": body})
        assert response.status_code == 202
        volume = response.json()["volume"]
        assert volume | body == volume
        assert volume["status"] == "creating"
        assert volume["volume_type"] == VolumeType.DEFAULT_NAME
        assert volume["os-vol-tenant-attr:tenant_id"] == member.project.pk
        assert volume["user_id"] == member.user.pk
        assert TIME.fullmatch(volume["created_at"])
        operation = Operation.objects.get()
        assert (operation.kind, str(operation.resource_id)) == ("volume.create", volume["id"])
        assert operation.request_id == response["x-openstack-request-id"]

    @pytest.mark.parametrize("microversion", ["3.47", "3.71"])
    def test_takes_the_nulls_that_clients_send(self, member: Account, microversion: str) -> None:
        response = member.client(microversion).post("/v3/volumes", {"volume": NULLS | {"size": 1}})
        assert response.status_code == 202, response.json()
        assert response.json()["volume"]["name"] is None

    @pytest.mark.parametrize("size", [1, "1", " 7 "])
    def test_takes_sizes_that_look_like_integers(self, member: Account, size: Any) -> None:
        response = member.client().post("/v3/volumes", {"volume": {"size": size}})
        assert response.json()["volume"]["size"] == int(size)

    def test_takes_the_old_names_of_fields(self, member: Account) -> None:
        body = {"size": 1, "display_name": "old", "display_description": "older"}
        volume = member.client().post("/v3/volumes", {"volume": body}).json()["volume"]
        assert (volume["name"], volume["description"]) == ("old", "older")

    @pytest.mark.parametrize("by", ["id", "name"])
    def test_takes_a_type_by_name_or_id(self, member: Account, by: str) -> None:
        wanted = VolumeTypeFactory(extra_specs={"multiattach": "<is> True"})
        body = {"size": 1, "volume_type": str(getattr(wanted, by))}
        volume = member.client().post("/v3/volumes", {"volume": body}).json()["volume"]
        assert volume["volume_type"] == wanted.name
        assert volume["multiattach"] is True

    def test_hints_reach_the_operation(self, member: Account) -> None:
        near, far = str(uuid4()), str(uuid4())
        body = {
            "volume": {"size": 1},
            "OS-SCH-HNT:scheduler_hints": {
                "same_host": near,
                "different_host": [far],
                "query": "[]",
            },
        }
        assert member.client().post("/v3/volumes", body).status_code == 202
        assert Operation.objects.get().arguments == {"same_host": [near], "different_host": [far]}

    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            ({}, "volume.size"),
            ({"size": None}, "volume.size"),
            ({"size": 0}, "volume.size"),
            ({"size": 1.5}, "volume.size"),
            ({"size": "big"}, "volume.size"),
            ({"size": True}, "volume.size"),
            ({"size": 2**40}, "volume.size"),
            ({"size": 1, "name": "x" * 256}, "volume.name"),
            ({"size": 1, "name": 7}, "volume.name"),
            ({"size": 1, "metadata": {"a": 1}}, "volume.metadata.a"),
            ({"size": 1, "metadata": ["a"]}, "volume.metadata"),
            ({"size": 1, "colour": "red"}, "volume.colour"),
            ({"size": 1, "snapshot_id": "here"}, "volume.snapshot_id"),
            ({"size": 1, "source_volid": 7}, "volume.source_volid"),
            ({"size": 1, "imageRef": str(uuid4())}, "volume.imageRef"),
            ({"size": 1, "backup_id": "here"}, "volume.backup_id"),
            ({"size": 1, "group_id": str(uuid4())}, "volume.group_id"),
            ({"size": 1, "multiattach": True}, "volume.multiattach"),
        ],
    )
    def test_names_the_field_that_is_wrong(
        self, member: Account, fields: dict[str, Any], named: str
    ) -> None:
        response = member.client().post("/v3/volumes", {"volume": fields})
        assert response.status_code == 400
        assert f"{named}: " in fault(response)
        assert not Volume.objects.exists()

    @pytest.mark.parametrize(
        "hints", [{"same_host": "here"}, {"different_host": [1]}, {"same_host": {}, "x": 1}, "near"]
    )
    def test_hints_name_volumes(self, member: Account, hints: Any) -> None:
        body = {"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": hints}
        response = member.client().post("/v3/volumes", body)
        assert response.status_code == (202 if hints == {"same_host": {}, "x": 1} else 400)

    def test_refuses_an_unknown_type_with_404(self, member: Account) -> None:
        hidden = VolumeTypeFactory(is_public=False)
        for name in ("nowhere", str(uuid4()), hidden.name, str(hidden.pk)):
            body = {"size": 1, "volume_type": name}
            response = member.client().post("/v3/volumes", {"volume": body})
            assert response.status_code == 404
            assert name in fault(response)

    def test_refuses_an_unknown_zone(self, member: Account) -> None:
        body = {"size": 1, "availability_zone": "moon"}
        response = member.client().post("/v3/volumes", {"volume": body})
        assert response.status_code == 400
        assert "'moon'" in fault(response)

    def test_refuses_beyond_the_quota_with_413(self, member: Account) -> None:
        set_limits(project_id=member.project.pk, limits={"gigabytes": 5})
        response = member.client().post("/v3/volumes", {"volume": {"size": 6}})
        assert response.status_code == 413
        assert response["Retry-After"] == "0"
        body = response.json()["overLimit"]
        assert body["retryAfter"] == "0"
        assert "gigabytes" in body["message"]

    def test_refuses_one_that_is_too_large_with_413(self, member: Account) -> None:
        set_limits(project_id=member.project.pk, limits={"per_volume_gigabytes": 5})
        response = member.client().post("/v3/volumes", {"volume": {"size": 6}})
        assert response.status_code == 413
        assert "6G is larger than maximum allowed limit 5G" in fault(response)

    def test_the_same_key_makes_one_volume(self, member: Account) -> None:
        client = member.client(HTTP_IDEMPOTENCY_KEY="once")
        first, second = (client.post("/v3/volumes", {"volume": {"size": 1}}) for _ in "12")
        assert first.json() == second.json()
        assert second["Idempotency-Replayed"] == "true"
        assert Volume.objects.count() == 1


class TestShow:
    def test_every_field_is_there(self, member: Account) -> None:
        volume = make(member)
        shown = member.client("3.0").get(f"/v3/volumes/{volume.pk}").json()["volume"]
        assert shown.keys() == ALWAYS
        assert shown["bootable"] == "false"
        assert shown["encrypted"] is False
        assert shown["attachments"] == []

    def test_an_admin_sees_where_it_is(self, admin: Account, pool: Pool) -> None:
        volume = VolumeFactory(pool=pool)
        shown = admin.client("3.0").get(f"/v3/volumes/{volume.pk}").json()["volume"]
        assert shown.keys() == ALWAYS | FOR_ADMINS
        assert shown["os-vol-host-attr:host"] == "khoi@fast#ssd"

    @pytest.mark.parametrize(
        ("before", "since", "field"),
        [
            ("3.12", "3.13", "group_id"),
            ("3.20", "3.21", "provider_id"),
            ("3.47", "3.48", "shared_targets"),
            ("3.47", "3.48", "service_uuid"),
            ("3.60", "3.61", "cluster_name"),
            ("3.62", "3.63", "volume_type_id"),
            ("3.64", "3.65", "consumes_quota"),
        ],
    )
    def test_later_fields_come_with_their_microversion(
        self, admin: Account, before: str, since: str, field: str
    ) -> None:
        address = f"/v3/volumes/{VolumeFactory().pk}"
        assert field not in admin.client(before).get(address).json()["volume"]
        assert field in admin.client(since).get(address).json()["volume"]

    def test_a_volume_without_a_place(self, admin: Account) -> None:
        volume = VolumeFactory(pool=None, availability_zone=None, status="error")
        shown = admin.client().get(f"/v3/volumes/{volume.pk}").json()["volume"]
        assert shown["os-vol-host-attr:host"] is None
        assert shown["service_uuid"] is None

    def test_links(self, member: Account) -> None:
        volume = make(member)
        shown = member.client().get(f"/v3/volumes/{volume.pk}").json()["volume"]
        project_id = member.project.pk
        assert shown["links"] == [
            {"rel": "self", "href": f"http://testserver/v3/{project_id}/volumes/{volume.pk}"},
            {"rel": "bookmark", "href": f"http://testserver/{project_id}/volumes/{volume.pk}"},
        ]
        own = member.client().get(shown["links"][0]["href"])
        assert own.json()["volume"] == shown

    def test_it_leads_to_its_operations(self, member: Account, admin: Account) -> None:
        for _ in range(2):
            made = member.client().post("/v3/volumes", {"volume": {"size": 1}}).json()["volume"]
        for client in (member.client(), admin.client()):
            shown = client.get(f"/v3/volumes/{made['id']}").json()["volume"]
            [operation] = client.get(shown["operations"]).json()["operations"]
            assert (operation["kind"], operation["resource_id"]) == ("volume.create", made["id"])

    @pytest.mark.parametrize("name", ["nothing", "7", "%00", "../volumes", NOBODYS_ID])
    def test_what_is_not_there_is_a_404(self, member: Account, name: str) -> None:
        response = member.client().get(f"/v3/volumes/{name}")
        assert response.status_code in (404, 400)

    def test_under_the_project(self, member: Account) -> None:
        volume = make(member)
        address = f"/v3/{member.project.pk}/volumes/{volume.pk}"
        assert member.client().get(address).status_code == 200
        elsewhere = f"/v3/{'f' * 32}/volumes/{volume.pk}"
        assert member.client().get(elsewhere).status_code == 400


class TestList:
    @pytest.fixture
    def volumes(self, member: Account, pool: Pool) -> list[Volume]:
        now = timezone.now()
        return [
            make(
                member,
                name=f"volume {number}",
                size_gib=number,
                pool=pool,
                created_at=now.replace(microsecond=number),
                metadata={"number": str(number)},
            )
            for number in range(1, 6)
        ]

    def names(self, response: Any) -> list[str]:
        assert response.status_code == 200, response.content
        return [volume["name"] for volume in response.json()["volumes"]]

    def test_newest_first(self, member: Account, volumes: list[Volume]) -> None:
        response = member.client().get("/v3/volumes")
        assert self.names(response) == [f"volume {n}" for n in (5, 4, 3, 2, 1)]
        assert response.json()["volumes"][0].keys() == {"id", "name", "links"}

    def test_pages_follow_their_links(self, member: Account, volumes: list[Volume]) -> None:
        seen, address = [], "/v3/volumes/detail?limit=2&sort=size:asc"
        while address:
            response = member.client().get(address)
            seen += self.names(response)
            links = response.json().get("volumes_links", [])
            assert [link["rel"] for link in links] in ([], ["next"])
            address = links[0]["href"] if links else ""
        assert seen == [f"volume {n}" for n in range(1, 6)]

    def test_pages_of_what_clients_made(self, member: Account) -> None:
        """Their times are the database's own, not Python's."""
        client = member.client()
        made = [
            client.post("/v3/volumes", {"volume": {"size": 1}}).json()["volume"]["id"]
            for _ in range(4)
        ]
        seen, address = [], "/v3/volumes?limit=1"
        while address and len(seen) <= len(made):
            page = client.get(address).json()
            seen += [volume["id"] for volume in page["volumes"]]
            address = page["volumes_links"][0]["href"] if "volumes_links" in page else ""
        assert sorted(seen) == sorted(made)

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("name=volume 2", [2]),
            ("name~=lume 2", [2]),
            ("status=available&limit=1", [5]),
            ("status=error", []),
            ("size=3", [3]),
            ('metadata={"number": "4"}', [4]),
            ("metadata={'number': '4'}", [4]),
            ("sort=name:asc&limit=2", [1, 2]),
            ("sort_key=size&sort_dir=asc&limit=1", [1]),
            ("created_at=lt:2000-01-01T00:00:00", []),
            ("bootable=false&limit=1", [5]),
            ("user_id=nobody", []),
            ("project_id=nobody", []),
            ("all_tenants=1&limit=1", [5]),
            ("strange=thing&limit=1", [5]),
        ],
    )
    def test_filters(
        self, member: Account, volumes: list[Volume], query: str, found: list[int]
    ) -> None:
        response = member.client().get(f"/v3/volumes/detail?{query}")
        assert self.names(response) == [f"volume {number}" for number in found]

    @pytest.mark.parametrize(
        "query", ["limit=x", "limit=-1", "marker=gone", "sort=colour", "size=big", "bootable=no!"]
    )
    def test_refuses_what_it_cannot_read(
        self, member: Account, volumes: list[Volume], query: str
    ) -> None:
        response = member.client().get(f"/v3/volumes/detail?{query}")
        assert response.status_code == 400
        assert query.partition("=")[0] in fault(response) or "sort" in fault(response)

    def test_count(self, member: Account, volumes: list[Volume]) -> None:
        address = "/v3/volumes/detail?with_count=true&limit=2"
        assert member.client("3.45").get(address).json()["count"] == 5
        assert "count" not in member.client("3.44").get(address).json()

    def test_of_all_projects_for_an_admin(
        self, admin: Account, member: Account, volumes: list[Volume]
    ) -> None:
        assert self.names(admin.client().get("/v3/volumes")) == []
        assert len(self.names(admin.client().get("/v3/volumes?all_tenants=True"))) == 5
        narrowed = f"/v3/volumes?all_tenants=1&project_id={member.project.pk}&limit=1"
        assert self.names(admin.client().get(narrowed)) == ["volume 5"]

    def test_the_number_of_queries_is_constant(
        self, admin: Account, member: Account, django_assert_num_queries: Any
    ) -> None:
        """One for the token, one for the rows, four for all their types, pools, services and
        attachments."""
        for _ in range(20):
            make(member)
        for limit in (2, 20):
            with django_assert_num_queries(6):
                response = admin.client().get(f"/v3/volumes/detail?all_tenants=1&limit={limit}")
            assert len(response.json()["volumes"]) == limit

    def test_one_volume_is_two_queries(
        self, member: Account, django_assert_num_queries: Any
    ) -> None:
        volume = make(member)
        with django_assert_num_queries(2):
            member.client().get(f"/v3/volumes/{volume.pk}")


class TestSummary:
    def test_adds_up(self, member: Account, admin: Account) -> None:
        make(member, size_gib=3, metadata={"a": "1", "b": "2"})
        make(member, size_gib=4, metadata={"a": "9"})
        VolumeFactory(size_gib=100)
        assert member.client("3.12").get("/v3/volumes/summary").json() == {
            "volume-summary": {"total_count": 2, "total_size": 7}
        }
        assert member.client("3.36").get("/v3/volumes/summary").json()["volume-summary"] == {
            "total_count": 2,
            "total_size": 7,
            "metadata": {"a": ["1", "9"], "b": ["2"]},
        }
        everything = admin.client().get("/v3/volumes/summary?all_tenants=True").json()
        assert everything["volume-summary"]["total_size"] == 107

    def test_of_nothing(self, member: Account) -> None:
        summary = member.client("3.12").get("/v3/volumes/summary").json()
        assert summary == {"volume-summary": {"total_count": 0, "total_size": 0}}

    def test_exists_from_3_12_on(self, member: Account) -> None:
        assert member.client("3.11").get("/v3/volumes/summary").status_code == 404


class TestUpdate:
    @pytest.mark.parametrize("prefix", ["", "display_"])
    def test_name_and_description(self, member: Account, prefix: str) -> None:
        volume = make(member, metadata={"old": "1"})
        body = {f"{prefix}name": " new ", f"{prefix}description": "better"}
        response = member.client().put(f"/v3/volumes/{volume.pk}", {"volume": body})
        assert response.status_code == 200
        shown = response.json()["volume"]
        assert (shown["name"], shown["description"]) == ("new", "better")
        assert shown["metadata"] == {"old": "1"}
        again = member.client().get(f"/v3/volumes/{volume.pk}").json()["volume"]
        assert again == shown

    def test_metadata_is_replaced(self, member: Account) -> None:
        volume = make(member, metadata={"old": "1"})
        body = {"volume": {"metadata": {"new": "2"}}}
        response = member.client().put(f"/v3/volumes/{volume.pk}", body)
        assert response.json()["volume"]["metadata"] == {"new": "2"}

    @pytest.mark.parametrize("body", [{}, {"size": 3}, {"name": 1}, {"metadata": None}])
    def test_refuses_what_cannot_be_changed(self, member: Account, body: Any) -> None:
        volume = make(member)
        response = member.client().put(f"/v3/volumes/{volume.pk}", {"volume": body})
        assert response.status_code == 400

    def test_not_during_maintenance(self, member: Account) -> None:
        volume = make(member, status="maintenance")
        response = member.client().put(f"/v3/volumes/{volume.pk}", {"volume": {"name": "x"}})
        assert response.status_code == 400
        assert "maintenance" in fault(response)


class TestDelete:
    def test_opens_an_operation(self, member: Account) -> None:
        volume = make(member)
        response = member.client().delete(f"/v3/volumes/{volume.pk}?cascade=True")
        assert (response.status_code, response.content) == (202, b"")
        volume.refresh_from_db()
        assert volume.status == "deleting"
        assert Operation.objects.get().kind == "volume.delete"

    @pytest.mark.parametrize("status", ["creating", "in-use", "extending", "deleting"])
    def test_names_the_status_that_does_not_allow_it(self, member: Account, status: str) -> None:
        volume = make(member, status=status)
        response = member.client().delete(f"/v3/volumes/{volume.pk}")
        assert response.status_code == 400
        assert status in fault(response)

    def test_what_never_had_a_place_is_gone_at_once(self, member: Account) -> None:
        made = member.client().post("/v3/volumes", {"volume": {"size": 1}}).json()["volume"]
        Operation.objects.update(status="failed")
        Volume.objects.update(status="error")
        assert member.client().delete(f"/v3/volumes/{made['id']}").status_code == 202
        assert member.client().get(f"/v3/volumes/{made['id']}").status_code == 404
        assert set(QuotaUsage.objects.values_list("in_use", flat=True)) == {0}

    def test_force_is_for_admins_from_3_23_on(self, member: Account, admin: Account) -> None:
        volume = make(member, status="creating")
        address = f"/v3/volumes/{volume.pk}?force=True"
        assert member.client().delete(address).status_code == 403
        assert admin.client("3.22").delete(address).status_code == 400
        assert admin.client("3.23").delete(address).status_code == 202
        volume.refresh_from_db()
        assert volume.status == "deleting"

    def test_what_is_being_made_is_in_the_wrong_state(self, member: Account) -> None:
        client = member.client()
        made = client.post("/v3/volumes", {"volume": {"size": 1}}).json()["volume"]
        response = client.delete(f"/v3/volumes/{made['id']}")
        assert response.status_code == 400
        assert "creating" in fault(response)
