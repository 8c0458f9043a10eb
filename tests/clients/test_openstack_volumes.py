"""`openstack volume …`: volumes as their owner sees them, and what only an administrator may."""

from collections.abc import Callable

import pytest

from tests.clients.account import Account


def test_life_of_a_volume(user: Account) -> None:
    openstack = user.openstack
    made = openstack.json(
        "volume create --size 1 --availability-zone nova --description 'My data' "
        "--property purpose=database --property tier=1 life"
    )
    assert (made["name"], made["size"], made["status"]) == ("life", 1, "creating")
    assert made["properties"] == {"purpose": "database", "tier": "1"}
    assert (made["type"], made["os-vol-tenant-attr:tenant_id"]) == ("__DEFAULT__", user.project_id)
    user.wait_for("life")

    openstack(
        "volume set --size 2 --name lived --description Older --property tier=2 --bootable life"
    )
    user.wait_for_size("lived", 2)
    openstack("volume set --read-only lived")
    openstack("volume unset --property purpose lived")
    shown = openstack.json("volume show lived")
    assert (shown["id"], shown["status"], shown["size"]) == (made["id"], "available", 2)
    assert (shown["description"], shown["bootable"]) == ("Older", True)
    assert shown["properties"] == {"tier": "2", "readonly": "True"}
    openstack("volume set --no-property --read-write lived")
    [listed] = openstack.json("volume list --long --name lived --status available")
    assert listed == {
        "ID": made["id"],
        "Name": "lived",
        "Status": "available",
        "Size": 2,
        "Type": "__DEFAULT__",
        "Bootable": True,
        "Attached to": [],
        "Properties": {},
    }

    openstack("volume delete lived")
    user.wait_until_gone("lived")
    assert "No Volume found for lived" in openstack.error("volume show lived")


def test_flags_at_creation(member: Account) -> None:
    """For these the client waits for the volume, and sets them then."""
    member.openstack("volume create --size 1 --bootable --read-only flagged")
    shown = member.openstack.json("volume show flagged")
    assert (shown["bootable"], shown["properties"]) == (True, {"readonly": "True"})


def test_list_by_pages_and_summary(member: Account) -> None:
    openstack = member.openstack
    for number in range(3):
        openstack(f"volume create --size {number + 1} --property number={number} v{number}")
    # The limit is that of a page; the client turns the pages.
    listed = openstack.json("volume list --limit 2")
    assert [row["Name"] for row in listed] == ["v2", "v1", "v0"]
    rest = openstack.json(f"volume list --limit 1 --marker {listed[0]['ID']}")
    assert rest == listed[1:]
    [found] = openstack.json("volume list --property number=1")
    assert found["Name"] == "v1"
    assert openstack.json("volume summary") == {
        "Total Count": 3,
        "Total Size": 6,
        "Metadata": {"number": ["0", "1", "2"]},
    }


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("create --size 1 --type marble v", "Volume type marble could not be found."),
        ("create --size 1 --availability-zone mars v", "Availability zone 'mars' is invalid"),
        ("create --size 0 v", "Invalid input for volume.size"),
        (f"create --size 1 --property a={'x' * 256} v", "Invalid input for volume.metadata.a"),
        ("show 8c3f02f8-36f6-4c0a-8d0e-0c9c6a3ab0d2", "No Volume found for 8c3f02f8"),
        ("delete nothing", "1 of 1 volumes failed to delete."),
    ],
)
def test_refusals_are_sentences(demo: Account, command: str, sentence: str) -> None:
    assert sentence in demo.openstack.error(f"volume {command}")


def test_refusals_in_a_wrong_state(admin: Account, member: Account) -> None:
    volume = member.create("stuck")
    admin.openstack(f"volume set --state maintenance {volume.id}")
    error = member.openstack.error("volume delete stuck")
    assert "400" in error
    assert "maintenance" in error
    assert "maintenance state" in member.openstack.error("volume set --size 2 stuck")
    assert "maintenance" in member.openstack.error("volume set --name free stuck")
    assert "maintenance" in member.openstack.error("volume set --property a=b stuck")
    admin.openstack(f"volume set --state available {volume.id}")
    assert "greater than 1 GB" in member.openstack.error("volume set --size 1 stuck")
    member.openstack("volume delete stuck")


def test_what_only_an_administrator_may(admin: Account, member: Account) -> None:
    volume = member.create("theirs")
    refused = member.openstack.error("volume set --state error theirs")
    assert "403" in refused
    assert "Policy doesn't allow volume:reset_status to be performed." in refused
    assert "volume:force_delete" in member.openstack.error("volume delete --force theirs")
    assert not member.openstack.json("volume list --all-projects --name elsewhere")

    [listed] = admin.openstack.json("volume list --all-projects --name theirs")
    assert listed["ID"] == volume.id
    by_project = admin.openstack.json(f"volume list --project {member.name}")
    assert [row["ID"] for row in by_project] == [volume.id]
    assert admin.openstack.json("volume summary --all-projects")["Total Count"] >= 1
    host = admin.openstack.json(f"volume show {volume.id}")["os-vol-host-attr:host"]
    assert host in {"box@fast#fast", "box@slow#slow"}
    assert member.openstack.json("volume show theirs")["os-vol-host-attr:host"] is None

    admin.openstack(f"volume set --state error {volume.id}")
    assert member.openstack.json("volume show theirs")["status"] == "error"
    admin.openstack(f"volume delete --force {volume.id}")
    member.wait_until_gone("theirs")


def test_hints_place_a_volume(member: Account, admin: Account) -> None:
    first = member.create("first")
    hint = f"--hint different_host={first.id}"
    member.openstack(f"volume create --size 1 {hint} second")
    member.wait_for("second")
    hosts = {
        admin.connection.block_storage.find_volume(name, all_projects=True).host
        for name in (first.id, member.wait_for("second").id)
    }
    assert hosts == {"box@fast#fast", "box@slow#slow"}


def test_reader_only_reads(open_account: Callable[[str], Account]) -> None:
    reader = open_account("reader")
    assert reader.openstack.json("volume list") == []
    assert "volume:create" in reader.openstack.error("volume create --size 1 v")
