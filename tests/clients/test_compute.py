"""`openstack server …` and what is attached, as those who own the servers and as administrators.

Nothing may be printed but the answer: no warning, no traceback.
"""

import json
from typing import Any

import pytest

from tests.clients.account import Account


def quietly(account: Account, line: str) -> str:
    """Run a command that succeeds and complains of nothing; return its output."""
    ending = account.openstack.run(line)
    assert (ending.exit_code, ending.errors) == (0, ""), ending
    return ending.output


def table(account: Account, line: str) -> Any:
    """The same, for one that shows something."""
    return json.loads(quietly(account, f"{line} -f json"))


@pytest.fixture
def server_id(demo: Account) -> str:
    return str(demo.connection.compute.find_server("alpha", ignore_missing=False).id)


def test_list(demo: Account) -> None:
    rows = {row["Name"]: row for row in table(demo, "server list")}
    assert rows.keys() == {"alpha", "beta"}
    assert (rows["alpha"]["Status"], rows["alpha"]["Flavor"]) == ("ACTIVE", "1-128")
    [row] = table(demo, "server list --name alp --status ACTIVE --long")
    assert (row["Name"], row["Power State"], row["Flavor ID"]) == ("alpha", 1, "1-128")
    assert row["Availability Zone"] == "nova"
    assert len(table(demo, "server list --limit 1")) == 1
    assert len(table(demo, "server list --no-name-lookup")) == 2
    assert table(demo, "server list --deleted") == []


def test_list_of_all_projects(admin: Account, demo: Account, member: Account) -> None:
    assert table(admin, "server list") == table(member, "server list") == []
    rows = table(admin, "server list --all-projects --long")
    assert {(row["Name"], row["Host"]) for row in rows} == {("alpha", "box"), ("beta", "box")}
    assert {row["Project ID"] for row in rows} == {demo.project_id}
    assert len(table(admin, f"server list --project {demo.name}")) == 2
    assert table(admin, f"server list --project {member.name}") == []


def test_show(demo: Account, admin: Account, member: Account, server_id: str) -> None:
    shown = table(demo, "server show alpha")
    assert (shown["id"], shown["name"], shown["status"]) == (server_id, "alpha", "ACTIVE")
    assert (shown["project_id"], shown["volumes_attached"]) == (demo.project_id, [])
    assert shown["OS-EXT-SRV-ATTR:host"] is None
    assert table(admin, f"server show {server_id}")["OS-EXT-SRV-ATTR:host"] == "box"
    assert "No Server found" in member.openstack.error(f"server show {server_id}")


def test_a_volume_comes_and_goes(user: Account, demo: Account, server_id: str) -> None:
    """The server is the plain user's, and so is the volume; an administrator names them by id."""
    volume = demo.create(f"for-{user.name}")
    added = table(user, f"server add volume {server_id} {volume.id}")
    assert (added["Server ID"], added["Volume ID"]) == (server_id, volume.id)
    demo.wait_for(volume.id, "in-use")
    [row] = table(user, f"server volume list {server_id}")
    assert (row["Volume ID"], row["Device"]) == (volume.id, "/dev/vda")
    shown = table(user, f"server show {server_id}")
    assert shown["volumes_attached"] == [{"id": volume.id}]

    [attachment] = table(user, f"volume attachment list --all-projects --volume-id {volume.id}")
    assert (attachment["Server ID"], attachment["Status"]) == (server_id, "attached")
    shown = table(user, f"volume attachment show {attachment['ID']}")
    assert (shown["Volume ID"], shown["Instance ID"]) == (volume.id, server_id)
    assert shown["Properties"]["driver_volume_type"] == "gpfs"

    refusal = user.openstack.error(f"server add volume {server_id} {volume.id}")
    assert "attached" in refusal
    assert "400" in refusal
    refusal = demo.openstack.error(f"volume attachment delete {attachment['ID']}")
    assert "Compute" in refusal
    assert quietly(user, f"server remove volume {server_id} {volume.id}") == ""
    demo.wait_for(volume.id)
    assert table(user, f"server volume list {server_id}") == []
    quietly(demo, f"volume delete {volume.id}")
    demo.wait_until_gone(volume.id)


def test_by_their_names(demo: Account) -> None:
    first, second = demo.create("first-disk"), demo.create("second-disk")
    for name in ("first-disk", "second-disk"):
        quietly(demo, f"server add volume --device /dev/vdq beta {name} -f json")
        demo.wait_for(name, "in-use")
    rows = table(demo, "server volume list beta")
    assert [(row["Volume ID"], row["Device"]) for row in rows] == [
        (first.id, "/dev/vda"),
        (second.id, "/dev/vdb"),
    ]
    listed = {row["Name"]: row for row in table(demo, "volume list --status in-use")}
    [attached] = listed["first-disk"]["Attached to"]
    assert attached["device"] == "/dev/vda"
    assert "Attached to beta on /dev/vdb" in quietly(demo, "volume list")
    for name in ("first-disk", "second-disk"):
        quietly(demo, f"server remove volume beta {name}")
        demo.wait_for(name)
    quietly(demo, "volume delete first-disk second-disk")
    demo.wait_until_gone(first.id)
    demo.wait_until_gone(second.id)


def test_what_belongs_to_others_is_not_there(member: Account, server_id: str) -> None:
    member.create("mine")
    assert "No Server found" in member.openstack.error(f"server add volume {server_id} mine")


def test_a_newer_microversion_is_refused(demo: Account) -> None:
    error = demo.openstack.error("--os-compute-api-version 2.87 server list")
    assert "2.87" in error


def test_what_asks_compute_besides(admin: Account, demo: Account, server_id: str) -> None:
    """Commands that are about every service, of which this is one as soon as it is there."""
    [flavor] = table(demo, "flavor list")
    assert (flavor["Name"], flavor["RAM"], flavor["VCPUs"]) == ("1-128", 128, 1)
    assert table(demo, "flavor show 1-128")["ram"] == 128
    assert {row["Zone Name"] for row in table(demo, "availability zone list")} == {"nova"}
    limits = {row["Name"]: row["Value"] for row in table(demo, "limits show --absolute")}
    assert (limits["max_total_instances"], limits["instances_used"]) == (-1, 2)
    assert limits["max_total_volumes"] == 10
    usage = {row["Resource"]: row for row in table(demo, "quota show --usage")}
    assert (usage["instances"]["Limit"], usage["instances"]["In Use"]) == (-1, 2)
    assert usage["volumes"]["Limit"] == 10
    assert {row["Resource"] for row in table(admin, f"quota show {demo.name}")} >= {"gigabytes"}
    assert table(admin, "quota show --default")
