"""`openstack volume snapshot …`, volumes made from snapshots and volumes, and reverting."""

import pytest
from openstack.block_storage.v3.snapshot import Snapshot

from tests.clients.account import Account
from tests.stack import wait_until


def wait_for(account: Account, snapshot: str, status: str = "available") -> Snapshot:
    """Wait until a snapshot, by name or id, has a status."""

    def found() -> Snapshot:
        return account.connection.block_storage.find_snapshot(snapshot, ignore_missing=False)

    wait_until(lambda: found().status == status, f"{snapshot} to be {status}")
    return found()


def wait_until_gone(account: Account, snapshot: str) -> None:
    find = account.connection.block_storage.find_snapshot
    wait_until(lambda: find(snapshot) is None, f"the end of {snapshot}")


def take(account: Account, volume: str, name: str) -> Snapshot:
    """A snapshot that is ready."""
    account.openstack(f"volume snapshot create --volume {volume} {name}")
    return wait_for(account, name)


def test_life_of_a_snapshot(member: Account) -> None:
    openstack = member.openstack
    volume = member.create("data")
    made = openstack.json(
        "volume snapshot create --volume data --description 'Before' --property purpose=test "
        "--property tier=1 before"
    )
    assert (made["name"], made["size"], made["status"]) == ("before", 1, "creating")
    assert made["properties"] == {"purpose": "test", "tier": "1"}
    assert made["volume_id"] == volume.id
    wait_for(member, "before")

    openstack("volume snapshot set --name after --description After --property tier=2 before")
    openstack("volume snapshot unset --property purpose after")
    shown = openstack.json("volume snapshot show after")
    assert (shown["id"], shown["status"], shown["description"]) == (
        made["id"],
        "available",
        "After",
    )
    assert shown["properties"] == {"tier": "2"}
    openstack("volume snapshot set --no-property after")
    [listed] = openstack.json("volume snapshot list --long --volume data --status available")
    assert (listed["ID"], listed["Name"], listed["Volume"]) == (made["id"], "after", volume.id)
    assert "| data " in openstack("volume snapshot list --long")
    assert (listed["Size"], listed["Properties"]) == (1, {})
    assert openstack.json("volume snapshot list --name before") == []

    assert "cascade" in openstack.error("volume delete data")
    openstack("volume snapshot delete after")
    wait_until_gone(member, "after")
    openstack("volume delete data")
    member.wait_until_gone("data")


def test_volumes_are_made_from_it(member: Account) -> None:
    openstack = member.openstack
    volume = member.create("source")
    snapshot = take(member, "source", "moment")
    made = openstack.json("volume create --snapshot moment restored")
    assert (made["size"], made["snapshot_id"]) == (1, snapshot.id)
    cloned = openstack.json("volume create --source source --size 2 cloned")
    assert (cloned["size"], cloned["source_volid"]) == (2, volume.id)
    for name in ("restored", "cloned"):
        member.wait_for(name)
    openstack("volume snapshot delete moment")
    wait_until_gone(member, "moment")
    assert openstack.json("volume show restored")["status"] == "available"


def test_revert_and_purge(member: Account) -> None:
    member.create("data")
    take(member, "data", "first")
    take(member, "data", "second")
    assert "latest snapshot" in member.openstack.error("volume revert first")
    member.openstack("volume revert second")
    member.wait_for("data")
    wait_for(member, "second")
    member.openstack("volume delete --purge data")
    member.wait_until_gone("data")
    assert member.openstack.json("volume snapshot list") == []


def test_what_only_an_administrator_may(admin: Account, member: Account) -> None:
    member.create("snapped")
    snapshot = take(member, "snapped", "moment")
    assert "snapshot:reset_status" in member.openstack.error(
        "volume snapshot set --state error moment"
    )
    admin.openstack(f"volume snapshot set --state error {snapshot.id}")
    assert member.openstack.json("volume snapshot show moment")["status"] == "error"
    assert "its status is error" in member.openstack.error(
        "volume create --size 1 --snapshot moment copy"
    )
    listed = admin.openstack.json(f"volume snapshot list --all-projects --project {member.name}")
    assert [row["ID"] for row in listed] == [snapshot.id]
    assert "snapshot:force_delete" in member.openstack.error(
        "volume snapshot delete --force moment"
    )
    admin.openstack(f"volume snapshot delete --force {snapshot.id}")
    wait_until_gone(member, "moment")


@pytest.mark.parametrize("microversion", ["3.0", "3.65", "3.66", "3.71"])
def test_cinderclient(member: Account, microversion: str) -> None:
    cinder = member.cinderclient(microversion)
    volume = member.create("data")
    made = cinder.volume_snapshots.create(volume.id, force=True, name="one", metadata={"a": "b"})
    wait_for(member, made.id)
    cinder.volume_snapshots.update(made.id, name="uno")
    cinder.volume_snapshots.set_metadata(made, {"c": "d"})
    cinder.volume_snapshots.delete_metadata(made, ["a"])
    [found] = cinder.volume_snapshots.list(search_opts={"volume_id": volume.id})
    assert (found.name, found.metadata, found.size) == ("uno", {"c": "d"}, 1)
    copy = cinder.volumes.create(size=1, snapshot_id=made.id, name="copy")
    assert member.wait_for(copy.id).snapshot_id == made.id
    cinder.volumes.delete(volume.id, cascade=True)
    member.wait_until_gone(volume.id)


def test_cinder_command(member: Account) -> None:
    member.create("data")
    assert "creating" in member.cinder("snapshot-create --name moment data")
    wait_for(member, "moment")
    assert "moment" in member.cinder("snapshot-list")
    assert "available" in member.cinder("snapshot-show moment")
    member.cinder("--os-volume-api-version 3.40 revert-to-snapshot moment")
    member.wait_for("data")
    member.cinder("snapshot-delete moment")
    wait_until_gone(member, "moment")
