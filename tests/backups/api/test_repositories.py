"""Repositories over HTTP: what projects see of them, what administrators do with them."""

from typing import Any

import pytest

from backups.models import Backup, Damage, Repository
from storage_project.operations.models import Operation
from tests.accounts import Account
from tests.factories import BackupFactory, DamageFactory, RepositoryFactory
from volumes.models import Service

ADDRESS = "/v3/backup_repositories"


@pytest.fixture
def main(repository: Service) -> Repository:
    """Of `main` all is known."""
    return RepositoryFactory(
        name="main",
        repository_id="00" * 16,
        encrypted=False,
        backups=3,
        logical_bytes=300,
        unique_bytes=200,
        stored_bytes=100,
    )


def shown(account: Account, repository: Repository) -> dict[str, Any]:
    response = account.client("3.0").get(f"{ADDRESS}/{repository.pk}")
    assert response.status_code == 200
    body: dict[str, Any] = response.json()["backup_repository"]
    return body


def act(account: Account, repository: Repository, action: str) -> Any:
    return account.client("3.0").post(f"{ADDRESS}/{repository.pk}/action", {action: {}})


def test_a_project_sees_what_it_can_choose(member: Account, main: Repository) -> None:
    body = shown(member, main)
    assert body.pop("links")
    assert body == {
        "id": str(main.pk),
        "name": "main",
        "availability_zone": "nova",
        "state": "up",
        "enabled": True,
    }


def test_one_that_nobody_reaches_is_down(member: Account, main: Repository) -> None:
    Service.objects.update(down_reason="The disk is not mounted.")
    assert shown(member, main)["state"] == "down"
    Service.objects.all().delete()
    body = shown(member, main)
    assert (body["state"], body["enabled"], body["availability_zone"]) == ("down", False, None)


def test_an_administrator_sees_the_figures(admin: Account, main: Repository) -> None:
    DamageFactory(repository=main)
    DamageFactory(repository=main, healed_at=main.created_at)
    DamageFactory()
    body = shown(admin, main)
    figures = ("status", "backups", "logical_bytes", "unique_bytes", "stored_bytes", "open_damages")
    assert [body[name] for name in figures] == ["available", 3, 300, 200, 100, 1]
    assert body["operations"].endswith(f"all_tenants=1&resource_id={main.pk}")


def test_the_list_has_pages(member: Account, main: Repository) -> None:
    RepositoryFactory(name="another")
    client = member.client("3.0")
    first = client.get(ADDRESS, {"limit": 1}).json()
    assert [each["name"] for each in first["backup_repositories"]] == ["another"]
    rest = client.get(first["backup_repositories_links"][0]["href"]).json()
    assert [each["name"] for each in rest["backup_repositories"]] == ["main"]


@pytest.mark.parametrize("action", ["scrub", "collect"])
def test_work_can_be_asked_for_once(admin: Account, main: Repository, action: str) -> None:
    response = act(admin, main, action)
    assert response.status_code == 202
    operation = Operation.objects.get()
    assert operation.kind == f"repository.{action}"
    assert response.json()["operation"]["id"] == str(operation.pk)
    main.refresh_from_db()
    assert main.status == {"scrub": "scrubbing", "collect": "collecting"}[action]
    refusal = act(admin, main, action)
    assert refusal.status_code == 409
    assert f"worked on, by {operation.kind}" in refusal.json()["conflictingRequest"]["message"]


def test_members_do_not_work_on_repositories(member: Account, main: Repository) -> None:
    assert act(member, main, "scrub").status_code == 403
    assert member.client("3.0").get(f"{ADDRESS}/{main.pk}/damages").status_code == 403


class TestDamages:
    @pytest.fixture
    def damage(self, main: Repository) -> Damage:
        damage = DamageFactory(repository=main)
        damage.backups.add(BackupFactory(), BackupFactory())
        BackupFactory()
        return damage

    def test_name_the_backups_that_they_hit(self, admin: Account, damage: Damage) -> None:
        client = admin.client("3.0")
        [body] = client.get(f"{ADDRESS}/{damage.repository_id}/damages").json()["damages"]
        assert (body["key"], body["sentence"]) == (damage.key, damage.sentence)
        assert (body["backup_count"], body["healed_at"]) == (2, None)
        hit = client.get(body["backups"]).json()["backups"]
        expected = {str(pk) for pk in damage.backups.values_list("pk", flat=True)}
        assert {each["id"] for each in hit} == expected

    def test_can_be_narrowed_down_to_those_of_now(self, admin: Account, damage: Damage) -> None:
        healed = DamageFactory(repository=damage.repository, healed_at=damage.created_at)
        DamageFactory()
        address = f"{ADDRESS}/{damage.repository_id}/damages"

        def ids(**query: str) -> set[str]:
            response = admin.client("3.0").get(address, query)
            return {each["id"] for each in response.json()["damages"]}

        assert ids() == {str(damage.pk), str(healed.pk)}
        assert ids(healed="false") == {str(damage.pk)}
        assert ids(healed="true") == {str(healed.pk)}

    def test_a_backup_takes_itself_out(self, admin: Account, damage: Damage) -> None:
        Backup.objects.filter(damages=damage).delete()
        client = admin.client("3.0")
        [body] = client.get(f"{ADDRESS}/{damage.repository_id}/damages").json()["damages"]
        assert body["backup_count"] == 0


class TestLookingAtABackup:
    @pytest.fixture
    def backup(self, member: Account) -> Backup:
        return BackupFactory(project_id=member.project.pk)

    def look(self, account: Account, backup: Backup, action: str) -> Any:
        return account.client("3.0").post(f"/v3/backups/{backup.pk}/action", {action: None})

    @pytest.mark.parametrize("action", ["verify", "test"])
    def test_is_an_operation(self, member: Account, backup: Backup, action: str) -> None:
        response = self.look(member, backup, action)
        assert response.status_code == 202
        assert response.json()["operation"]["kind"] == f"backup.{action}"
        # One at a time; but it is in nobody's way.
        assert self.look(member, backup, "verify").status_code == 400
        client = member.client("3.0")
        assert client.post(f"/v3/backups/{backup.pk}/restore", {"restore": {}}).status_code == 202

    def test_is_stopped_by_a_delete(self, member: Account, backup: Backup) -> None:
        self.look(member, backup, "verify")
        assert member.client("3.0").delete(f"/v3/backups/{backup.pk}").status_code == 202
        assert Operation.objects.get(kind="backup.verify").cancel_requested
        assert not Operation.objects.get(kind="backup.delete").cancel_requested

    @pytest.mark.parametrize("status", ["creating", "deleting", "error"])
    def test_needs_one_that_is_there(self, member: Account, backup: Backup, status: str) -> None:
        Backup.objects.update(status=status)
        response = self.look(member, backup, "test")
        assert response.status_code == 400
        assert f"its status is {status}" in response.json()["badRequest"]["message"]


def test_a_backup_tells_how_far_it_is(member: Account) -> None:
    backup = BackupFactory(project_id=member.project.pk)
    idle = BackupFactory(project_id=member.project.pk)
    client = member.client("3.0")
    client.post(f"/v3/backups/{backup.pk}/action", {"verify": None})
    Operation.objects.update(
        status="running",
        phase="reads the backup",
        progress_bytes=100,
        total_bytes=400,
        counted={"read_bytes": 60, "skipped_bytes": 40, "bytes_per_s": 50},
    )
    expected = {
        "kind": "backup.verify",
        "phase": "reads the backup",
        "progress_bytes": 100,
        "total_bytes": 400,
        "read_bytes": 60,
        "transferred_bytes": None,
        "skipped_bytes": 40,
        "bytes_per_s": 50,
        "seconds_left": 6,
    }
    assert client.get(f"/v3/backups/{backup.pk}").json()["backup"]["progress"] == expected
    listed = client.get("/v3/backups/detail").json()["backups"]
    assert {each["id"]: each["progress"] for each in listed} == {
        str(backup.pk): expected,
        str(idle.pk): None,
    }
    operation = client.get(f"/v3/operations/{Operation.objects.get().pk}").json()["operation"]
    assert expected.items() <= operation.items()
