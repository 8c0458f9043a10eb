"""`openstack volume backup …`, and the same with cinderclient and the SDK."""

import pytest
from openstack.block_storage.v3.backup import Backup

from tests.clients.account import Account
from tests.stack import wait_until


def wait_for(account: Account, backup: str, status: str = "available") -> Backup:
    """Wait until a backup, by name or id, has a status."""

    def found() -> Backup:
        return account.connection.block_storage.find_backup(backup, ignore_missing=False)

    wait_until(lambda: found().status == status, f"{backup} to be {status}")
    return found()


def wait_until_gone(account: Account, backup: str) -> None:
    find = account.connection.block_storage.find_backup
    wait_until(lambda: find(backup) is None, f"the end of {backup}")


def back_up(account: Account, volume: str, name: str, options: str = "") -> Backup:
    """A backup that is ready."""
    account.openstack(f"volume backup create --name {name} {options} {volume}")
    return wait_for(account, name)


def test_life_of_a_backup(member: Account) -> None:
    openstack = member.openstack
    volume = member.create("data")
    made = openstack.json(
        "volume backup create --name sunday --description Before --container main --force "
        "--property purpose=test --availability-zone nova data"
    )
    assert made["name"] == "sunday"
    wait_for(member, "sunday")
    member.wait_for("data")

    openstack("volume backup set --name monday --description After --property a=b sunday")
    shown = openstack.json("volume backup show monday")
    assert (shown["id"], shown["status"], shown["description"]) == (
        made["id"],
        "available",
        "After",
    )
    assert (shown["size"], shown["volume_id"], shown["container"]) == (1, volume.id, "main")
    assert (shown["is_incremental"], shown["has_dependent_backups"]) == (False, False)
    assert shown["fail_reason"] is None
    assert shown["data_timestamp"]
    [listed] = openstack.json("volume backup list --long --volume data --status available")
    assert (listed["ID"], listed["Name"], listed["Size"]) == (made["id"], "monday", 1)
    assert openstack.json("volume backup list --name sunday") == []

    openstack("volume backup delete monday")
    wait_until_gone(member, "monday")


def test_incremental_ones_and_what_depends_on_what(member: Account) -> None:
    member.create("data")
    assert "could be compared with" in member.openstack.error(
        "volume backup create --incremental data"
    )
    first = back_up(member, "data", "first")
    second = back_up(member, "data", "second", "--incremental")
    assert (first.is_incremental, second.is_incremental) == (False, True)
    assert member.openstack.json("volume backup show first")["has_dependent_backups"]
    member.openstack("volume backup delete first")
    wait_until_gone(member, "first")
    assert wait_for(member, "second").is_incremental


def test_of_a_snapshot_and_of_one_in_use(member: Account) -> None:
    member.create("data")
    member.openstack("volume snapshot create --volume data moment")
    find = member.connection.block_storage.find_snapshot
    wait_until(lambda: find("moment").status == "available", "the snapshot")
    made = back_up(member, "data", "of-it", "--snapshot moment")
    assert made.snapshot_id == find("moment").id
    member.wait_for("data")


def test_restoring(member: Account) -> None:
    openstack = member.openstack
    member.create("data", metadata={"a": "b"})
    backup = back_up(member, "data", "sunday")
    answer = openstack.json("volume backup restore sunday restored")
    assert (answer["id"], answer["volume_name"]) == (backup.id, "restored")
    restored = member.wait_for(answer["volume_id"])
    assert (restored.size, restored.metadata) == (1, {"a": "b"})
    wait_for(member, "sunday")

    old = member.create("old", size=2)
    assert openstack.json("volume backup restore --force sunday old")["volume_id"] == old.id
    member.wait_for("old")
    wait_for(member, "sunday")
    openstack("volume create --backup sunday from-backup")
    assert member.wait_for("from-backup").size == 1


def test_what_only_an_administrator_may(admin: Account, member: Account) -> None:
    member.create("data")
    backup = back_up(member, "data", "sunday")
    assert "backup:export" in member.openstack.error("volume backup record export sunday")
    assert "backup:reset_status" in member.openstack.error("volume backup set --state error sunday")
    admin.openstack(f"volume backup set --state error {backup.id}")
    assert wait_for(member, "sunday", "error").id == backup.id
    listed = admin.openstack.json(f"volume backup list --all-projects --project {member.name}")
    assert [row["ID"] for row in listed] == [backup.id]
    assert "backup:force_delete" in member.openstack.error("volume backup delete --force sunday")
    admin.openstack(f"volume backup delete --force {backup.id}")
    wait_until_gone(member, "sunday")


def test_records(admin: Account) -> None:
    """The record of a backup that is there is refused; one that no repository has ends in error."""
    admin.create("recorded")
    made = back_up(admin, "recorded", "kept")
    record = admin.openstack.json("volume backup record export kept")
    service, url = record["backup_service"], record["backup_url"]
    # The command `openstack` sends its own address in place of the record (openstacksdk 4.22).
    assert "backup" in admin.openstack.error(f"volume backup record import {service} {url}")
    command = f"backup-import {service} {url}"
    assert made.id in admin.cinder.error(command)
    admin.openstack("volume backup delete kept")
    wait_until_gone(admin, made.id)
    assert made.id in admin.cinder(command)
    shown = wait_for(admin, made.id, "error")
    assert "not in the repository" in shown.fail_reason
    admin.openstack(f"volume backup delete {made.id}")
    wait_until_gone(admin, made.id)
    admin.openstack("volume delete recorded")
    admin.wait_until_gone("recorded")


@pytest.mark.parametrize("microversion", ["3.0", "3.43", "3.71"])
def test_cinderclient(member: Account, microversion: str) -> None:
    cinder = member.cinderclient(microversion)
    volume = member.create("data")
    made = cinder.backups.create(volume.id, name="one")
    wait_for(member, made.id)
    [found] = cinder.backups.list(search_opts={"volume_id": volume.id})
    assert (found.id, found.name, found.size, found.status) == (made.id, "one", 1, "available")
    assert cinder.backups.get(made.id).container == "main"
    if microversion != "3.0":
        cinder.backups.update(made, name="uno")
        assert cinder.backups.get(made.id).name == "uno"
    restored = cinder.restores.restore(made.id)
    assert restored.volume_name == f"restore_backup_{made.id}"
    member.wait_for(restored.volume_id)
    wait_for(member, made.id)
    cinder.backups.delete(made.id)
    wait_until_gone(member, made.id)


def test_cinder_command(member: Account) -> None:
    member.create("data")
    assert "sunday" in member.cinder("backup-create --name sunday data")
    wait_for(member, "sunday")
    assert "available" in member.cinder("backup-list")
    assert "main" in member.cinder("backup-show sunday")
    assert "restore_backup" in member.cinder("backup-restore sunday")
    wait_for(member, "sunday")
    member.cinder("backup-delete sunday")
    wait_until_gone(member, "sunday")


def test_the_sdk_by_itself(member: Account) -> None:
    block_storage = member.connection.block_storage
    volume = member.create("data")
    made = block_storage.create_backup(volume_id=volume.id, name="sunday")
    block_storage.wait_for_status(made, "available", interval=0.05)
    restored = block_storage.restore_backup(made, name="again")
    assert member.wait_for(restored.volume_id).name == "again"
    wait_for(member, made.id)
    block_storage.delete_backup(made)
    block_storage.wait_for_delete(made, interval=0.05)
