"""Restoring over HTTP, and volumes from backups."""

from typing import Any

import pytest

from backups.models import Backup
from storage_project.operations.models import Operation
from tests.accounts import Account, open_account
from tests.factories import BackupFactory, VolumeFactory, VolumeTypeFactory
from volumes.models import Pool, Volume
from volumes.services.quotas import set_limits


@pytest.fixture
def backup(member: Account) -> Backup:
    return BackupFactory(
        project_id=member.project.pk,
        size_gib=2,
        volume_properties={
            "name": "data",
            "description": "All of it",
            "volume_type": "__DEFAULT__",
            "bootable": True,
            "metadata": {"purpose": "database"},
        },
    )


def fault(response: Any) -> str:
    [(_, body)] = response.json().items()
    assert body["code"] == response.status_code
    return str(body["message"])


def restore(account: Account, backup: Backup, **fields: Any) -> Any:
    body = {"restore": fields}
    return account.client("3.0").post(f"/v3/backups/{backup.pk}/restore", body)


class TestIntoANewVolume:
    def test_answers_with_the_volume_at_once(self, member: Account, backup: Backup) -> None:
        response = restore(member, backup, volume_id=None, name=None)
        assert response.status_code == 202
        volume = Volume.objects.get()
        assert response.json()["restore"] == {
            "backup_id": str(backup.pk),
            "volume_id": str(volume.pk),
            "volume_name": f"restore_backup_{backup.pk}",
        }
        assert (volume.status, volume.size_gib, volume.bootable) == ("creating", 2, True)
        assert volume.metadata == {"purpose": "database"}
        assert volume.description == "All of it"
        backup.refresh_from_db()
        assert backup.status == "restoring"
        kinds = Operation.objects.order_by("created_at").values_list("kind", flat=True)
        assert [*kinds] == ["volume.create", "backup.restore"]

    def test_has_the_name_that_is_given(self, member: Account, backup: Backup) -> None:
        assert restore(member, backup, name="mine").json()["restore"]["volume_name"] == "mine"

    def test_where_the_type_is_gone(self, member: Account, backup: Backup) -> None:
        Backup.objects.update(volume_properties={"volume_type": "gone"})
        restore(member, backup)
        assert Volume.objects.get().volume_type.name == "__DEFAULT__"

    def test_is_a_volume_to_the_quota(self, member: Account, backup: Backup) -> None:
        set_limits(project_id=member.project.pk, limits={"gigabytes": 1})
        assert restore(member, backup).status_code == 413
        backup.refresh_from_db()
        assert backup.status == "available"

    def test_one_at_a_time(self, member: Account, backup: Backup) -> None:
        restore(member, backup)
        assert "its status is restoring" in fault(restore(member, backup))


class TestIntoAVolumeThatThereIs:
    @pytest.fixture
    def volume(self, member: Account, pool: Pool) -> Volume:
        return VolumeFactory(project_id=member.project.pk, pool=pool, size_gib=3, name="old")

    def test_loses_what_it_had(self, member: Account, backup: Backup, volume: Volume) -> None:
        response = restore(member, backup, volume_id=str(volume.pk), name="ignored")
        assert response.json()["restore"]["volume_name"] == "old"
        volume.refresh_from_db()
        assert volume.status == "restoring-backup"
        assert Operation.objects.get().kind == "backup.restore"

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"size_gib": 1}, "is too small for backup"),
            ({"status": "in-use"}, "its status is in-use"),
            ({"pool": None}, "is on no backend"),
            ({"attach_status": "reserved"}, "cannot restore backup"),
        ],
    )
    def test_must_fit(
        self,
        member: Account,
        backup: Backup,
        volume: Volume,
        change: dict[str, Any],
        sentence: str,
    ) -> None:
        Volume.objects.update(**change)
        response = restore(member, backup, volume_id=str(volume.pk))
        assert response.status_code == 400
        assert sentence in fault(response)

    def test_is_of_the_same_project(self, admin: Account, backup: Backup, pool: Pool) -> None:
        volume = VolumeFactory(project_id=admin.project.pk, pool=pool, size_gib=2)
        assert "another project" in fault(restore(admin, backup, volume_id=str(volume.pk)))

    def test_that_is_not_there(self, member: Account, backup: Backup) -> None:
        assert restore(member, backup, volume_id=str(backup.pk)).status_code == 404


class TestVolumeFromBackup:
    def make(self, account: Account, backup: Backup, version: str = "3.71", **fields: Any) -> Any:
        body = {"volume": {"backup_id": str(backup.pk), **fields}}
        return account.client(version).post("/v3/volumes", body)

    def test_is_like_the_one_that_was_backed_up(self, member: Account, backup: Backup) -> None:
        response = self.make(member, backup, name="copy")
        assert response.status_code == 202
        shown = response.json()["volume"]
        assert (shown["name"], shown["size"], shown["status"]) == ("copy", 2, "creating")
        assert (shown["metadata"], shown["bootable"]) == ({"purpose": "database"}, "true")

    def test_is_what_is_asked_for(self, member: Account, backup: Backup) -> None:
        VolumeTypeFactory(name="quick")
        fields = {"size": 5, "volume_type": "quick", "metadata": {}}
        shown = self.make(member, backup, **fields).json()["volume"]
        assert {name: shown[name] for name in fields} == fields

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"size": 1}, "is too small"),
            ({"snapshot_id": "5d1d6ae8-92b0-4b52-a5a6-6e0f3b3a9d10"}, "not both"),
        ],
    )
    def test_must_fit(
        self, member: Account, backup: Backup, fields: dict[str, Any], sentence: str
    ) -> None:
        response = self.make(member, backup, **fields)
        assert response.status_code == 400
        assert sentence in fault(response)

    def test_is_for_3_47_on(self, member: Account, backup: Backup) -> None:
        assert "3.47" in fault(self.make(member, backup, "3.46"))

    @pytest.mark.parametrize("role", ["member", "admin"])
    def test_of_another_project(self, backup: Backup, role: str) -> None:
        assert self.make(open_account(role), backup).status_code == 404
