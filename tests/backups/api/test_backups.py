"""Backups over HTTP, in the forms that Block Storage clients expect."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from backups.models import Backup
from backups.repositories import BINARY
from storage_project.operations.models import Operation, Transition
from tests.accounts import Account, open_account
from tests.factories import BackupFactory, ServiceFactory, SnapshotFactory
from volumes.models import Pool, QuotaUsage, Service, Volume
from volumes.services.quotas import set_limits

NAMED = {"id", "name", "links"}
WHOLE = NAMED | {
    "description",
    "status",
    "size",
    "volume_id",
    "snapshot_id",
    "container",
    "availability_zone",
    "is_incremental",
    "has_dependent_backups",
    "object_count",
    "fail_reason",
    "data_timestamp",
    "created_at",
    "updated_at",
    "read_bytes",
    "transferred_bytes",
    "skipped_bytes",
    "protected",
    "schedule_id",
    "progress",
    "verified_at",
    "verification",
    "verification_detail",
    "tested_at",
    "test_report",
    "operations",
}


@pytest.fixture
def backup(member: Account, volume: Volume) -> Backup:
    return BackupFactory(project_id=member.project.pk, volume_id=volume.pk, metadata={"a": "1"})


def fault(response: Any) -> str:
    """The message of an error."""
    [(_, body)] = response.json().items()
    assert body["code"] == response.status_code
    return str(body["message"])


def back_up(account: Account, volume: Volume, version: str = "3.71", **fields: Any) -> Any:
    body = {"backup": {"volume_id": str(volume.pk), **fields}}
    return account.client(version).post("/v3/backups", body)


class TestCreate:
    def test_answers_with_the_whole_backup(self, member: Account, volume: Volume) -> None:
        fields = {"name": "sunday", "description": "Before", "metadata": {"a": "b"}}
        response = back_up(member, volume, **fields)
        assert response.status_code == 202
        shown = response.json()["backup"]
        assert shown | fields == shown
        assert (shown["status"], shown["size"], shown["container"]) == ("creating", 2, "main")
        assert (shown["availability_zone"], shown["is_incremental"]) == ("nova", False)
        operation = Operation.objects.get()
        assert (operation.kind, str(operation.resource_id)) == ("backup.create", shown["id"])
        volume.refresh_from_db()
        assert volume.status == "backing-up"
        usage = QuotaUsage.objects.filter(project_id=member.project.pk)
        assert dict(usage.values_list("resource", "in_use")) == {
            "backups": 1,
            "backup_gigabytes": 2,
        }

    def test_takes_the_nulls_that_clients_send(self, member: Account, volume: Volume) -> None:
        nulls = dict.fromkeys(["container", "name", "description", "snapshot_id"])
        response = back_up(member, volume, "3.0", incremental=False, force="False", **nulls)
        assert response.status_code == 202

    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            ({"volume_id": "here"}, "backup.volume_id: "),
            ({"snapshot_id": 7}, "backup.snapshot_id: "),
            ({"force": "perhaps"}, "backup.force: "),
            ({"metadata": {"a": 1}}, "backup.metadata.a: "),
            ({"colour": "red"}, "backup.colour: "),
            ({"container": "attic"}, "container: there is no repository attic; known: main"),
            ({"availability_zone": "mars"}, "'mars' is invalid"),
            ({"incremental": True}, "has no backup in main"),
        ],
    )
    def test_names_what_is_wrong(
        self, member: Account, volume: Volume, fields: dict[str, Any], named: str
    ) -> None:
        response = back_up(member, volume, **fields)
        assert response.status_code == 400
        assert named in fault(response)
        assert not Backup.objects.exists()

    @pytest.mark.parametrize(
        ("field", "since"), [("metadata", "3.43"), ("availability_zone", "3.51")]
    )
    def test_fields_that_came_later(
        self, member: Account, volume: Volume, field: str, since: str
    ) -> None:
        value = {"metadata": {"a": "b"}, "availability_zone": "nova"}[field]
        before = f"3.{int(since[2:]) - 1}"
        assert since in fault(back_up(member, volume, before, **{field: value}))
        assert back_up(member, volume, since, **{field: value}).status_code == 202

    def test_one_in_use_needs_force(self, member: Account, volume: Volume) -> None:
        Volume.objects.update(status="in-use", attach_status="attached")
        assert "Say force" in fault(back_up(member, volume))
        assert back_up(member, volume, force=True).status_code == 202

    def test_one_in_use_that_cannot_be_copied(
        self, member: Account, volume: Volume, pool: Pool
    ) -> None:
        Pool.objects.update(capabilities={"snapshots_in_use": False})
        Volume.objects.update(status="in-use", attach_status="attached")
        assert "detach it first" in fault(back_up(member, volume, force=True))

    @pytest.mark.parametrize("status", ["creating", "error", "backing-up", "deleting"])
    def test_only_one_at_rest(self, member: Account, volume: Volume, status: str) -> None:
        Volume.objects.update(status=status)
        response = back_up(member, volume, force=True)
        assert response.status_code == 400
        assert f"its status is {status}" in fault(response)

    def test_of_a_snapshot(self, member: Account, volume: Volume) -> None:
        snapshot = SnapshotFactory(volume=volume, project_id=volume.project_id, size_gib=1)
        response = back_up(member, volume, snapshot_id=str(snapshot.pk))
        shown = response.json()["backup"]
        assert (shown["snapshot_id"], shown["size"]) == (str(snapshot.pk), 1)
        snapshot.refresh_from_db()
        volume.refresh_from_db()
        assert (snapshot.status, volume.status) == ("backing-up", "available")

    def test_of_another_volumes_snapshot(self, member: Account, volume: Volume) -> None:
        snapshot = SnapshotFactory(project_id=volume.project_id)
        response = back_up(member, volume, snapshot_id=str(snapshot.pk))
        assert "is no snapshot of volume" in fault(response)

    def test_compared_with_the_latest(
        self, member: Account, volume: Volume, backup: Backup
    ) -> None:
        assert back_up(member, volume, incremental=True).json()["backup"]["is_incremental"]
        made = Backup.objects.exclude(pk=backup.pk).get()
        assert made.parent_id == backup.pk
        shown = member.client().get(f"/v3/backups/{backup.pk}").json()["backup"]
        assert shown["has_dependent_backups"] is True

    def test_compared_with_what_the_backend_remembers(
        self, member: Account, volume: Volume, backup: Backup
    ) -> None:
        BackupFactory(project_id=volume.project_id, volume_id=volume.pk)
        Volume.objects.update(base_snapshot_id=backup.pk)
        back_up(member, volume, incremental=True)
        assert Backup.objects.get(status="creating").parent_id == backup.pk

    def test_the_quota(self, member: Account, volume: Volume) -> None:
        set_limits(project_id=member.project.pk, limits={"backup_gigabytes": 1})
        response = back_up(member, volume)
        assert response.status_code == 413
        assert "Backup gigabytes quota" in fault(response)
        volume.refresh_from_db()
        assert volume.status == "available"

    def test_without_a_repository(self, member: Account, volume: Volume) -> None:
        Service.objects.filter(binary=BINARY).delete()
        assert back_up(member, volume).status_code == 503

    def test_not_to_one_that_is_disabled(self, member: Account, volume: Volume) -> None:
        ServiceFactory(binary=BINARY, host="khoi@attic")
        Service.objects.filter(host="khoi@main").update(enabled=False)
        assert back_up(member, volume).json()["backup"]["container"] == "attic"

    def test_goes_to_one_that_is_up(self, member: Account, volume: Volume) -> None:
        ServiceFactory(
            binary=BINARY, host="khoi@attic", heartbeat_at=timezone.now() - timedelta(days=1)
        )
        assert back_up(member, volume).json()["backup"]["container"] == "main"

    def test_another_projects_volume(self, volume: Volume) -> None:
        assert back_up(open_account("member"), volume).status_code == 404


class TestShow:
    def test_fields_and_when_they_came(self, member: Account, backup: Backup) -> None:
        def keys(version: str) -> set[str]:
            response = member.client(version).get(f"/v3/backups/{backup.pk}")
            return set(response.json()["backup"])

        assert keys("3.0") == WHOLE
        assert keys("3.18") - keys("3.17") == {"os-backup-project-attr:project_id"}
        assert keys("3.43") - keys("3.42") == {"metadata"}
        assert keys("3.56") - keys("3.55") == {"user_id"}
        assert keys("3.64") - keys("3.63") == {"encryption_key_id"}

    def test_lists(self, member: Account, backup: Backup) -> None:
        BackupFactory()  # of somebody else
        client = member.client()
        [named] = client.get("/v3/backups").json()["backups"]
        assert named.keys() == NAMED
        [whole] = client.get("/v3/backups/detail").json()["backups"]
        assert whole.keys() >= WHOLE

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("name=one", 1),
            ("name~=o", 2),
            ("status=error", 1),
            ("volume_id={volume}", 1),
            ("metadata={{'a':'1'}}", 1),
            ("container=attic", 0),
            ("size=1", 2),
        ],
    )
    def test_filters(self, member: Account, query: str, found: int) -> None:
        one = BackupFactory(project_id=member.project.pk, name="one", metadata={"a": "1"})
        BackupFactory(project_id=member.project.pk, name="two", status="error")
        address = f"/v3/backups?{query.format(volume=one.volume_id)}"
        assert len(member.client().get(address).json()["backups"]) == found

    def test_pages_take_as_many_queries_as_one(
        self, member: Account, django_assert_num_queries: Any
    ) -> None:
        BackupFactory.create_batch(5, project_id=member.project.pk)
        client = member.client()
        client.get("/v3/backups/detail")
        with django_assert_num_queries(3):  # the third for what is at work on them
            page = client.get("/v3/backups/detail?limit=3").json()
        assert len(page["backups"]) == 3
        assert "backups_links" in page

    def test_all_projects(self, admin: Account, backup: Backup) -> None:
        assert admin.client().get("/v3/backups").json()["backups"] == []
        assert len(admin.client().get("/v3/backups?all_tenants=1").json()["backups"]) == 1

    def test_can_be_filtered_by(self, member: Account) -> None:
        response = member.client().get("/v3/resource_filters?resource=backup")
        assert "volume_id" in response.json()["resource_filters"][0]["filters"]


class TestChange:
    def test_sets_what_is_given(self, member: Account, backup: Backup) -> None:
        client = member.client()
        body = {"backup": {"name": "new", "metadata": {"b": "2"}}}
        shown = client.put(f"/v3/backups/{backup.pk}", body).json()["backup"]
        assert (shown["name"], shown["metadata"]) == ("new", {"b": "2"})
        assert client.put(f"/v3/backups/{backup.pk}", {"backup": {}}).status_code == 400

    def test_is_for_3_9_on(self, member: Account, backup: Backup) -> None:
        body = {"backup": {"name": "new"}}
        address = f"/v3/backups/{backup.pk}"
        assert member.client("3.8").put(address, body).status_code == 404
        assert member.client("3.9").put(address, body).status_code == 200

    def test_reset_leaves_a_trace(self, admin: Account, backup: Backup) -> None:
        body = {"os-reset_status": {"status": "error"}}
        address = f"/v3/backups/{backup.pk}/action"
        assert admin.client().post(address, body).status_code == 202
        move = Transition.objects.get(resource_id=backup.pk)
        assert (move.was, move.became) == ("available", "error")
        body = {"os-reset_status": {"status": "creating"}}
        assert admin.client().post(address, body).status_code == 400


class TestDelete:
    def test_opens_an_operation(self, member: Account, backup: Backup) -> None:
        BackupFactory(project_id=backup.project_id, parent_id=backup.pk)
        assert member.client().delete(f"/v3/backups/{backup.pk}").status_code == 202
        backup.refresh_from_db()
        assert backup.status == "deleting"
        assert Operation.objects.get().kind == "backup.delete"

    @pytest.mark.parametrize("status", ["creating", "restoring", "deleting"])
    def test_not_while_something_works_on_it(
        self, member: Account, admin: Account, backup: Backup, status: str
    ) -> None:
        Backup.objects.update(status=status)
        address = f"/v3/backups/{backup.pk}"
        response = member.client().delete(address)
        assert response.status_code == 400
        assert f"its status is {status}" in fault(response)
        forced = admin.client().post(f"{address}/action", {"os-force_delete": None})
        assert forced.status_code == 202
        assert Operation.objects.get().kind == "backup.delete"
