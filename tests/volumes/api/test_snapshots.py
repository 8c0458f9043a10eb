"""Snapshots over HTTP, in the forms that Block Storage clients expect."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from storage_project.operations.models import Operation, Transition
from tests.accounts import Account
from tests.factories import SnapshotFactory, VolumeFactory
from volumes.models import Pool, QuotaUsage, Snapshot, Volume
from volumes.services.quotas import set_limits

BRIEF = {
    "id",
    "name",
    "description",
    "status",
    "size",
    "volume_id",
    "metadata",
    "created_at",
    "updated_at",
    "operations",
}
EXTENDED = {
    "os-extended-snapshot-attributes:progress",
    "os-extended-snapshot-attributes:project_id",
}


@pytest.fixture
def volume(member: Account, pool: Pool) -> Volume:
    return VolumeFactory(project_id=member.project.pk, pool=pool, size_gib=2)


@pytest.fixture
def snapshot(volume: Volume) -> Snapshot:
    return SnapshotFactory(volume=volume, project_id=volume.project_id, metadata={"a": "1"})


def fault(response: Any) -> str:
    """The message of an error."""
    [(_, body)] = response.json().items()
    assert body["code"] == response.status_code
    return str(body["message"])


def take(account: Account, volume: Volume, version: str = "3.71", **fields: Any) -> Any:
    body = {"snapshot": {"volume_id": str(volume.pk), **fields}}
    return account.client(version).post("/v3/snapshots", body)


class TestCreate:
    def test_answers_with_the_whole_snapshot(self, member: Account, volume: Volume) -> None:
        fields = {"name": "before", "description": "the upgrade", "metadata": {"a": "b"}}
        response = take(member, volume, **fields)
        assert response.status_code == 202
        shown = response.json()["snapshot"]
        assert shown | fields == shown
        assert (shown["status"], shown["size"]) == ("creating", 2)
        assert shown["os-extended-snapshot-attributes:progress"] == "0%"
        operation = Operation.objects.get()
        assert (operation.kind, str(operation.resource_id)) == ("snapshot.create", shown["id"])
        volume.refresh_from_db()
        assert volume.status == "available"

    def test_takes_the_nulls_and_old_names_that_clients_send(
        self, member: Account, volume: Volume
    ) -> None:
        nulls = {"name": None, "description": None, "metadata": None, "force": None}
        assert take(member, volume, **nulls).status_code == 202
        old = {"display_name": "old", "display_description": "older", "force": "True"}
        shown = take(member, volume, **old).json()["snapshot"]
        assert (shown["name"], shown["description"]) == ("old", "older")

    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            ({"volume_id": "here"}, "snapshot.volume_id"),
            ({"volume_id": None}, "snapshot.volume_id"),
            ({"name": 7}, "snapshot.name"),
            ({"metadata": {"a": 1}}, "snapshot.metadata.a"),
            ({"force": "maybe"}, "snapshot.force"),
            ({"size": 1}, "snapshot.size"),
        ],
    )
    def test_names_the_field_that_is_wrong(
        self, member: Account, volume: Volume, fields: dict[str, Any], named: str
    ) -> None:
        response = take(member, volume, **fields)
        assert response.status_code == 400
        assert f"{named}: " in fault(response)

    def test_of_another_projects_volume_is_a_404(self, member: Account) -> None:
        for volume in (VolumeFactory(), Volume()):
            assert take(member, volume).status_code == 404

    @pytest.mark.parametrize(
        ("version", "fields", "code"),
        [
            ("3.65", {}, 400),
            ("3.65", {"force": False}, 400),
            ("3.65", {"force": True}, 202),
            ("3.66", {}, 202),
            ("3.66", {"force": "true"}, 202),
        ],
    )
    def test_of_a_volume_in_use(
        self, member: Account, volume: Volume, version: str, fields: dict[str, Any], code: int
    ) -> None:
        Volume.objects.update(status="in-use", attach_status="attached")
        response = take(member, volume, version, **fields)
        assert response.status_code == code
        if code == 400:
            assert "in-use" in fault(response)

    def test_of_a_volume_in_use_where_only_one_at_rest_can_be_copied(
        self, member: Account, volume: Volume
    ) -> None:
        Pool.objects.update(capabilities={"snapshots_in_use": False})
        assert take(member, volume).status_code == 202
        Volume.objects.update(status="in-use", attach_status="attached")
        clone = {"volume": {"source_volid": str(volume.pk)}}
        for response in (take(member, volume), member.client().post("/v3/volumes", clone)):
            assert response.status_code == 400
            assert "detach it first" in fault(response)

    def test_force_false_means_nothing_from_3_66_on(self, member: Account, volume: Volume) -> None:
        assert take(member, volume, "3.65", force=False).status_code == 202
        response = take(member, volume, "3.66", force=False)
        assert response.status_code == 400
        assert "snapshot.force" in fault(response)

    @pytest.mark.parametrize("status", ["creating", "error", "deleting", "reverting"])
    def test_names_the_status_that_does_not_allow_it(
        self, member: Account, volume: Volume, status: str
    ) -> None:
        Volume.objects.update(status=status)
        response = take(member, volume)
        assert response.status_code == 400
        assert status in fault(response)

    def test_of_a_volume_that_is_nowhere(self, member: Account, volume: Volume) -> None:
        Volume.objects.update(pool=None)
        assert take(member, volume).status_code == 400

    @pytest.mark.parametrize("resource", ["snapshots", "gigabytes"])
    def test_refuses_beyond_the_quota(self, member: Account, volume: Volume, resource: str) -> None:
        set_limits(project_id=member.project.pk, limits={resource: 1})
        responses = [take(member, volume) for _ in "12"]
        assert responses[-1].status_code == 413
        assert resource in fault(responses[-1])
        taken = Snapshot.objects.count()
        assert QuotaUsage.objects.filter(resource="snapshots", in_use=taken).exists() == bool(taken)

    def test_counts_in_the_limits(self, member: Account, volume: Volume) -> None:
        take(member, volume)
        absolute = member.client().get("/v3/limits").json()["limits"]["absolute"]
        assert (absolute["totalSnapshotsUsed"], absolute["totalGigabytesUsed"]) == (1, 2)
        assert absolute["maxTotalSnapshots"] == 10

    def test_keeps_the_volume_from_being_extended(self, member: Account, volume: Volume) -> None:
        take(member, volume)
        address = f"/v3/volumes/{volume.pk}/action"
        response = member.client().post(address, {"os-extend": {"new_size": 3}})
        assert response.status_code == 400
        assert "is being taken" in fault(response)


class TestShow:
    def test_every_field_is_there(self, member: Account, snapshot: Snapshot) -> None:
        shown = member.client("3.0").get(f"/v3/snapshots/{snapshot.pk}").json()["snapshot"]
        assert shown.keys() == BRIEF | EXTENDED
        assert shown["volume_id"] == str(snapshot.volume_id)
        assert shown["os-extended-snapshot-attributes:progress"] == "100%"
        assert shown["os-extended-snapshot-attributes:project_id"] == member.project.pk

    @pytest.mark.parametrize(
        ("before", "since", "field"),
        [
            ("3.13", "3.14", "group_snapshot_id"),
            ("3.40", "3.41", "user_id"),
            ("3.64", "3.65", "consumes_quota"),
        ],
    )
    def test_later_fields_come_with_their_microversion(
        self, member: Account, snapshot: Snapshot, before: str, since: str, field: str
    ) -> None:
        address = f"/v3/snapshots/{snapshot.pk}"
        assert field not in member.client(before).get(address).json()["snapshot"]
        assert field in member.client(since).get(address).json()["snapshot"]

    def test_it_leads_to_its_operations(self, member: Account, volume: Volume) -> None:
        shown = take(member, volume).json()["snapshot"]
        [operation] = member.client().get(shown["operations"]).json()["operations"]
        assert (operation["kind"], operation["resource_type"]) == ("snapshot.create", "snapshot")

    def test_a_volume_shows_what_it_was_made_from(self, member: Account) -> None:
        made = VolumeFactory(project_id=member.project.pk, source_snapshot_id=uuid4())
        shown = member.client().get(f"/v3/volumes/{made.pk}").json()["volume"]
        assert (shown["snapshot_id"], shown["source_volid"]) == (str(made.source_snapshot_id), None)


class TestList:
    @pytest.fixture
    def snapshots(self, volume: Volume) -> list[Snapshot]:
        now = timezone.now()
        return [
            SnapshotFactory(
                project_id=volume.project_id,
                volume=volume,
                name=f"snapshot {number}",
                created_at=now.replace(microsecond=number),
                metadata={"number": str(number)},
            )
            for number in range(1, 6)
        ]

    def names(self, response: Any) -> list[str]:
        assert response.status_code == 200, response.content
        return [snapshot["name"] for snapshot in response.json()["snapshots"]]

    def test_newest_first(self, member: Account, snapshots: list[Snapshot]) -> None:
        SnapshotFactory()
        for address, fields in (("", BRIEF), ("/detail", BRIEF | EXTENDED)):
            response = member.client("3.0").get(f"/v3/snapshots{address}")
            assert self.names(response) == [f"snapshot {n}" for n in (5, 4, 3, 2, 1)]
            assert response.json()["snapshots"][0].keys() == fields

    def test_pages_follow_their_links(self, member: Account, snapshots: list[Snapshot]) -> None:
        seen, address = [], "/v3/snapshots/detail?limit=2&sort=name:asc"
        while address:
            response = member.client().get(address)
            seen += self.names(response)
            links = response.json().get("snapshots_links", [])
            address = links[0]["href"] if links else ""
        assert seen == [f"snapshot {n}" for n in range(1, 6)]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("name=snapshot 2", [2]),
            ("name~=shot 2", [2]),
            ("status=error", []),
            ("metadata={'number': '4'}", [4]),
            ("availability_zone=nova&limit=1", [5]),
            ("availability_zone=mars", []),
            ("volume_id=5d1d6ae8-92b0-4b52-a5a6-6e0f3b3a9d10", []),
            ("sort_key=name&sort_dir=asc&limit=1", [1]),
            ("created_at=lt:2000-01-01T00:00:00", []),
            ("all_tenants=1&limit=1", [5]),
        ],
    )
    def test_filters(
        self, member: Account, snapshots: list[Snapshot], query: str, found: list[int]
    ) -> None:
        response = member.client().get(f"/v3/snapshots/detail?{query}")
        assert self.names(response) == [f"snapshot {number}" for number in found]

    def test_of_one_volume(self, member: Account, snapshots: list[Snapshot]) -> None:
        address = f"/v3/snapshots?volume_id={snapshots[0].volume_id}&with_count=true&limit=1"
        assert member.client("3.45").get(address).json()["count"] == 5
        assert "count" not in member.client("3.44").get(address).json()

    def test_of_all_projects_for_an_admin(self, admin: Account, snapshots: list[Snapshot]) -> None:
        assert self.names(admin.client().get("/v3/snapshots")) == []
        assert len(self.names(admin.client().get("/v3/snapshots?all_tenants=True"))) == 5

    def test_the_filters_are_listed(self, member: Account) -> None:
        [listed] = (
            member.client().get("/v3/resource_filters?resource=snapshot").json()["resource_filters"]
        )
        assert {"name", "status", "volume_id", "metadata"} <= set(listed["filters"])

    def test_the_number_of_queries_is_constant(
        self, member: Account, snapshots: list[Snapshot], django_assert_num_queries: Any
    ) -> None:
        """One for the token, one for the rows."""
        for limit in (2, 5):
            with django_assert_num_queries(2):
                member.client().get(f"/v3/snapshots/detail?limit={limit}")


class TestChange:
    @pytest.mark.parametrize("prefix", ["", "display_"])
    def test_name_and_description(self, member: Account, snapshot: Snapshot, prefix: str) -> None:
        body = {f"{prefix}name": "new", f"{prefix}description": "better"}
        response = member.client().put(f"/v3/snapshots/{snapshot.pk}", {"snapshot": body})
        shown = response.json()["snapshot"]
        assert (shown["name"], shown["description"]) == ("new", "better")
        assert shown["updated_at"]

    @pytest.mark.parametrize("body", [{}, {"metadata": {}}, {"volume_id": "x"}, {"name": 1}])
    def test_refuses_what_cannot_be_changed(
        self, member: Account, snapshot: Snapshot, body: Any
    ) -> None:
        response = member.client().put(f"/v3/snapshots/{snapshot.pk}", {"snapshot": body})
        assert response.status_code == 400

    def test_metadata(self, member: Account, snapshot: Snapshot) -> None:
        address, client = f"/v3/snapshots/{snapshot.pk}/metadata", member.client()
        added = client.post(address, {"metadata": {"b": "2"}})
        assert added.json() == {"metadata": {"a": "1", "b": "2"}}
        assert client.get(f"{address}/b").json() == {"meta": {"b": "2"}}
        assert client.put(f"{address}/b", {"meta": {"b": "3"}}).json() == {"meta": {"b": "3"}}
        assert client.delete(f"{address}/a").status_code == 200
        assert client.delete(f"{address}/a").status_code == 404
        assert client.get(address).json() == {"metadata": {"b": "3"}}
        assert client.put(address, {"metadata": {}}).json() == {"metadata": {}}


class TestDelete:
    def test_opens_an_operation(self, member: Account, snapshot: Snapshot) -> None:
        response = member.client().delete(f"/v3/snapshots/{snapshot.pk}")
        assert (response.status_code, response.content) == (202, b"")
        snapshot.refresh_from_db()
        assert snapshot.status == "deleting"
        assert Operation.objects.get().kind == "snapshot.delete"

    @pytest.mark.parametrize("status", ["creating", "restoring", "deleting"])
    def test_names_the_status_that_does_not_allow_it(
        self, member: Account, snapshot: Snapshot, status: str
    ) -> None:
        Snapshot.objects.update(status=status)
        response = member.client().delete(f"/v3/snapshots/{snapshot.pk}")
        assert response.status_code == 400
        assert status in fault(response)

    def test_goes_before_its_volume(self, member: Account, snapshot: Snapshot) -> None:
        address = f"/v3/volumes/{snapshot.volume_id}"
        response = member.client().delete(address)
        assert response.status_code == 400
        assert "cascade" in fault(response)
        assert member.client().delete(f"{address}?cascade=true").status_code == 202
        snapshot.refresh_from_db()
        assert (snapshot.status, snapshot.volume.status) == ("deleting", "deleting")
        assert Operation.objects.get().kind == "volume.delete"

    def test_one_that_is_busy_keeps_its_volume(self, member: Account, snapshot: Snapshot) -> None:
        Snapshot.objects.update(status="restoring")
        response = member.client().delete(f"/v3/volumes/{snapshot.volume_id}?cascade=true")
        assert response.status_code == 400
        assert "restoring" in fault(response)


class TestActions:
    def act(self, account: Account, snapshot: Snapshot, action: dict[str, Any]) -> Any:
        return account.client().post(f"/v3/snapshots/{snapshot.pk}/action", action)

    def test_reset_status(self, admin: Account, member: Account, snapshot: Snapshot) -> None:
        body = {"os-reset_status": {"status": "ERROR"}}
        assert self.act(member, snapshot, body).status_code == 403
        assert self.act(admin, snapshot, body).status_code == 202
        snapshot.refresh_from_db()
        assert snapshot.status == "error"
        assert admin.user.name in Transition.objects.get().note

    @pytest.mark.parametrize("argument", [{}, {"status": "in-use"}, {"status": None}, None])
    def test_refuses_what_is_no_status(
        self, admin: Account, snapshot: Snapshot, argument: Any
    ) -> None:
        assert self.act(admin, snapshot, {"os-reset_status": argument}).status_code == 400

    def test_force_delete_in_any_state(
        self, admin: Account, member: Account, snapshot: Snapshot
    ) -> None:
        Snapshot.objects.update(status="creating")
        body = {"os-force_delete": None}
        assert self.act(member, snapshot, body).status_code == 403
        for _ in range(2):
            assert self.act(admin, snapshot, body).status_code == 202
        snapshot.refresh_from_db()
        assert snapshot.status == "deleting"
        assert Operation.objects.count() == 1


class TestRevert:
    def revert(self, account: Account, snapshot: Snapshot, version: str = "3.40") -> Any:
        address = f"/v3/volumes/{snapshot.volume_id}/action"
        body = {"revert": {"snapshot_id": str(snapshot.pk)}}
        return account.client(version).post(address, body)

    def test_opens_an_operation(self, member: Account, snapshot: Snapshot) -> None:
        assert self.revert(member, snapshot, "3.39").status_code == 404
        assert self.revert(member, snapshot).status_code == 202
        snapshot.refresh_from_db()
        assert (snapshot.status, snapshot.volume.status) == ("restoring", "reverting")
        again = self.revert(member, snapshot)
        assert again.status_code == 400
        assert "reverting" in fault(again)

    def test_to_the_latest_only(self, member: Account, snapshot: Snapshot) -> None:
        volume = snapshot.volume
        in_a_moment = timezone.now() + timedelta(seconds=1)
        later = SnapshotFactory(volume=volume, project_id=volume.project_id, created_at=in_a_moment)
        response = self.revert(member, snapshot)
        assert response.status_code == 400
        assert str(later.pk) in fault(response)

    def test_of_a_volume_of_the_same_size(self, member: Account, snapshot: Snapshot) -> None:
        Volume.objects.update(size_gib=9)
        response = self.revert(member, snapshot)
        assert response.status_code == 400
        assert "9 GiB" in fault(response)

    @pytest.mark.parametrize(("of", "status"), [(Volume, "in-use"), (Snapshot, "error")])
    def test_names_the_status_that_does_not_allow_it(
        self, member: Account, snapshot: Snapshot, of: Any, status: str
    ) -> None:
        of.objects.update(status=status)
        response = self.revert(member, snapshot)
        assert response.status_code == 400
        assert status in fault(response)


class TestCopies:
    """Volumes that begin with the content of a snapshot or of another volume."""

    def make(self, account: Account, **fields: Any) -> Any:
        return account.client().post("/v3/volumes", {"volume": fields})

    def test_from_a_snapshot(self, member: Account, snapshot: Snapshot) -> None:
        response = self.make(member, snapshot_id=str(snapshot.pk))
        assert response.status_code == 202, response.content
        shown = response.json()["volume"]
        assert (shown["size"], shown["snapshot_id"]) == (2, str(snapshot.pk))
        assert shown["volume_type"] == snapshot.volume_type.name
        assert Operation.objects.get().arguments == {"source": str(snapshot.volume_id)}

    def test_from_a_volume(self, member: Account, volume: Volume) -> None:
        shown = self.make(member, source_volid=str(volume.pk), size=5).json()["volume"]
        assert (shown["size"], shown["source_volid"]) == (5, str(volume.pk))
        assert shown["volume_type"] == volume.volume_type.name

    def test_what_is_given_counts(self, member: Account, snapshot: Snapshot) -> None:
        fields = {"volume_type": "__DEFAULT__", "availability_zone": "nova", "size": "3"}
        shown = self.make(member, snapshot_id=str(snapshot.pk), **fields).json()["volume"]
        assert (shown["volume_type"], shown["size"]) == ("__DEFAULT__", 3)

    @pytest.mark.parametrize(
        ("fields", "word"),
        [
            ({"size": 1}, "size"),
            ({"availability_zone": "mars"}, "availability_zone"),
            ({"source_volid": str(uuid4())}, "not both"),
        ],
    )
    def test_refuses_what_does_not_fit(
        self, member: Account, snapshot: Snapshot, fields: dict[str, Any], word: str
    ) -> None:
        response = self.make(member, snapshot_id=str(snapshot.pk), **fields)
        assert response.status_code == 400
        assert word in fault(response).lower() or "mars" in fault(response)

    def test_needs_a_source_at_rest(self, member: Account, snapshot: Snapshot) -> None:
        Snapshot.objects.update(status="restoring")
        Volume.objects.update(status="extending")
        for fields in ({"snapshot_id": snapshot.pk}, {"source_volid": snapshot.volume_id}):
            response = self.make(member, **{name: str(value) for name, value in fields.items()})
            assert response.status_code == 400
            assert "its status is" in fault(response)

    @pytest.mark.parametrize("role", ["member", "admin"])
    def test_another_projects_source_is_not_there(
        self, request: pytest.FixtureRequest, role: str
    ) -> None:
        account, foreign = request.getfixturevalue(role), SnapshotFactory()
        for fields in ({"snapshot_id": foreign.pk}, {"source_volid": foreign.volume_id}):
            response = self.make(account, **{name: str(value) for name, value in fields.items()})
            assert response.status_code == 404
