"""Attaching with the real clients: `cinder attachment-…`, `openstack volume attachment …`, the
libraries, and the older actions. Of the host that holds the volumes, by their files."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
from cinderclient import exceptions
from openstack import exceptions as sdk_exceptions

from tests.clients.account import Account
from tests.clients.test_cinder_command import column, table
from tests.stack import HOST

CONNECTOR = {"host": HOST, "ip": "127.0.0.1", "initiator": "iqn.1994-05.org.example:1"}
NEWEST = "--os-volume-api-version 3.71"


def is_file_of(path: str, volume_id: str) -> bool:
    return Path(path).name == volume_id and Path(path).stat().st_size == 1 << 30


@pytest.mark.parametrize("microversion", ["3.27", "3.44", "3.71"])
def test_cinderclient(member: Account, microversion: str) -> None:
    volume = member.create("data")
    cinder = member.cinderclient(microversion)
    made = cinder.attachments.create(volume.id, CONNECTOR, None, "rw")
    assert (made["status"], made["instance"]) == ("attaching", None)
    info = made["connection_info"]
    assert (info["volume_id"], info["attachment_id"]) == (volume.id, made["id"])
    assert is_file_of(info["device_path"], volume.id)
    assert cinder.volumes.get(volume.id).status == "attaching"
    if microversion != "3.27":
        cinder.attachments.complete(made["id"])
        shown = cinder.volumes.get(volume.id)
        assert shown.status == "in-use"
        assert [(each["attachment_id"], each["host_name"]) for each in shown.attachments] == [
            (made["id"], HOST)
        ]
        assert cinder.attachments.show(made["id"]).attached_at
        with pytest.raises(exceptions.BadRequest, match="in-use"):
            cinder.attachments.create(volume.id, {}, None)
        with pytest.raises(exceptions.BadRequest, match="Detach it first"):
            cinder.volumes.delete(volume.id)
    found = cinder.attachments.list(search_opts={"volume_id": volume.id})
    assert [attachment.id for attachment in found] == [made["id"]]
    cinder.attachments.delete(made["id"])
    with pytest.raises(exceptions.NotFound):
        cinder.attachments.show(made["id"])
    assert cinder.volumes.get(volume.id).status == "available"


def test_cinderclient_in_two_steps(member: Account) -> None:
    volume = member.create("data")
    cinder = member.cinderclient()
    made = cinder.attachments.create(volume.id, {}, str(uuid4()), "ro")
    assert (made["status"], made["attach_mode"]) == ("reserved", "ro")
    assert made["connection_info"] == {}
    updated = cinder.attachments.update(made["id"], CONNECTOR)
    assert updated.connection_info["access_mode"] == "ro"
    cinder.attachments.complete(made["id"])
    with pytest.raises(exceptions.ClientException, match="in use") as error:
        cinder.attachments.delete(made["id"])
    assert error.value.code == 409


def test_the_older_actions(member: Account, admin: Account) -> None:
    volume = member.create("data")
    volumes = member.cinderclient("3.0").volumes
    volumes.reserve(volume)
    assert volumes.get(volume.id).status == "attaching"
    volumes.unreserve(volume)
    assert volumes.get(volume.id).status == "available"
    volumes.reserve(volume)
    info = volumes.initialize_connection(volume, CONNECTOR)
    assert info["driver_volume_type"]
    assert is_file_of(info["data"]["device_path"], volume.id)
    volumes.attach(volume, None, "/dev/vdb", host_name=HOST)
    shown = volumes.get(volume.id)
    [attachment] = shown.attachments
    assert (shown.status, attachment["device"], attachment["host_name"]) == (
        "in-use",
        "/dev/vdb",
        HOST,
    )
    volumes.begin_detaching(volume)
    volumes.roll_detaching(volume)
    assert volumes.get(volume.id).status == "in-use"
    volumes.begin_detaching(volume)
    volumes.terminate_connection(volume, CONNECTOR)
    assert volumes.get(volume.id).status == "detaching"
    volumes.detach(volume, attachment["attachment_id"])
    assert volumes.get(volume.id).status == "available"


def test_the_command_of_cinder(member: Account) -> None:
    volume = member.create("data")

    def cinder(line: str) -> str:
        return member.cinder(f"{NEWEST} {line}")

    made = cinder(
        f"attachment-create data --connect True --host {HOST} --mountpoint /dev/vdb --mode rw"
    )
    assert table(made)["status"] == "attaching"
    assert is_file_of(table(made)["device_path"], volume.id)
    [attachment] = column(cinder("attachment-list"), "ID")
    assert column(cinder(f"attachment-list --volume-id {volume.id}"), "ID") == [attachment]
    assert column(cinder("attachment-list --status reserved"), "ID") == []
    again = cinder(f"attachment-update {attachment} --host {HOST} --mountpoint /dev/vdb")
    assert "device_path" in again
    cinder(f"attachment-complete {attachment}")
    assert table(cinder(f"attachment-show {attachment}"))["status"] == "attached"
    cinder(f"attachment-delete {attachment}")
    assert table(cinder("show data"))["status"] == "available"


def test_the_command_of_openstack(member: Account) -> None:
    volume = member.create("data")
    made = member.cinderclient().attachments.create(volume.id, {}, None)

    def openstack(line: str) -> str:
        return member.openstack(f"{NEWEST} volume attachment {line}")

    shown = json.loads(openstack(f"show {made['id']} -f json"))
    assert (shown["Status"], shown["Volume ID"]) == ("reserved", volume.id)
    [listed] = json.loads(openstack(f"list --volume-id {volume.id} -f json"))
    assert listed["ID"] == made["id"]
    connected = json.loads(openstack(f"set {made['id']} --host {HOST} -f json"))
    assert is_file_of(connected["Properties"]["device_path"], volume.id)
    openstack(f"complete {made['id']}")
    [used] = member.openstack.json("volume show data")["attachments"]
    assert used["attachment_id"] == made["id"]
    openstack(f"delete {made['id']}")
    assert member.openstack.json("volume show data")["status"] == "available"


def test_the_sdk(member: Account) -> None:
    volumes = member.connection.block_storage
    volume = member.create("data")
    made = volumes.create_attachment(volume.id, connector=CONNECTOR)
    assert is_file_of(made.connection_info["device_path"], volume.id)
    volumes.complete_attachment(made)
    assert volumes.get_attachment(made.id).status == "attached"
    assert [each.id for each in volumes.attachments(volume_id=volume.id)] == [made.id]
    assert volumes.get_volume(volume.id).attachments[0]["attachment_id"] == made.id
    volumes.delete_attachment(made, ignore_missing=False)
    with pytest.raises(sdk_exceptions.NotFoundException):
        volumes.get_attachment(made.id)


def test_the_sdks_older_actions(member: Account) -> None:
    volumes = member.connection.block_storage
    volume = member.create("data")
    volumes.reserve_volume(volume)
    assert volumes.init_volume_attachment(volume, CONNECTOR)["data"]["device_path"]
    volumes.attach_volume(volume, "/dev/vdb", host_name=HOST)
    [attachment] = volumes.get_volume(volume.id).attachments
    volumes.begin_volume_detaching(volume)
    volumes.abort_volume_detaching(volume)
    volumes.terminate_volume_attachment(volume, CONNECTOR)
    volumes.detach_volume(volume, attachment["attachment_id"])
    assert volumes.get_volume(volume.id).status == "available"


def test_by_force(member: Account, admin: Account) -> None:
    volume = member.create("data")
    theirs = member.connection.block_storage
    made = theirs.create_attachment(volume.id, connector=CONNECTOR)
    theirs.complete_attachment(made)
    with pytest.raises(sdk_exceptions.ForbiddenException):
        theirs.detach_volume(volume, made.id, force=True)
    admin.connection.block_storage.detach_volume(volume, made.id, force=True)
    assert theirs.get_volume(volume.id).status == "available"


def test_a_host_that_no_export_reaches(member: Account) -> None:
    member.create("data")
    volume = member.connection.block_storage.find_volume("data")
    cinder = member.cinderclient()
    with pytest.raises(exceptions.BadRequest, match="file is for servers on the machine"):
        cinder.attachments.create(volume.id, CONNECTOR | {"host": "elsewhere"}, None)
    [failed] = cinder.attachments.list()
    assert (failed.status, cinder.volumes.get(volume.id).status) == (
        "error_attaching",
        "available",
    )
    assert "elsewhere" not in str(cinder.messages.list()[0].user_message)
    cinder.volumes.delete(volume.id)
    member.wait_until_gone(volume.id)
    assert cinder.attachments.list() == []


def test_a_multiattach_volume(member: Account, admin: Account) -> None:
    kind = f"shared-{uuid4().hex[:6]}"
    admin.openstack(f'volume type create {kind} --property "multiattach=<is> True"')
    volume = member.create("data", volume_type=kind)
    cinder = member.cinderclient()
    made = [cinder.attachments.create(volume.id, CONNECTOR, None) for _ in range(2)]
    for each in made:
        cinder.attachments.complete(each["id"])
    assert len(cinder.volumes.get(volume.id).attachments) == 2
    cinder.attachments.delete(made[0]["id"])
    assert cinder.volumes.get(volume.id).status == "in-use"
    cinder.attachments.delete(made[1]["id"])
    assert cinder.volumes.get(volume.id).status == "available"
