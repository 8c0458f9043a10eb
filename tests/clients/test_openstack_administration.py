"""What an administrator of the storage does with `openstack`, and a member does not."""

import pytest

from tests.clients.account import Account

NOT_FOR_MEMBERS = {
    "volume service list": "service:list",
    "volume service set --disable box@fast cinder-volume": "service:list",
    "volume backend pool list": "pool:list",
    "volume type create marble": "type:create",
    "volume type set --property a=b __DEFAULT__": "extra_specs:create",
    "volume type delete __DEFAULT__": "type:delete",
    "quota set --volumes 1000 demo": "quota:update",
}


def test_volume_types(admin: Account, demo: Account) -> None:
    openstack = admin.openstack
    made = openstack.json(
        "volume type create --description Quick --property volume_backend_name=slow brisk"
    )
    assert made["properties"] == {"volume_backend_name": "slow"}
    openstack("volume type set --name quick --description 'On fast disks' brisk")
    openstack("volume type set --property volume_backend_name=fast --property cost=1 quick")
    openstack("volume type unset --property cost quick")
    shown = openstack.json("volume type show quick")
    assert shown["description"] == "On fast disks"
    assert shown["properties"] == {"volume_backend_name": "fast"}
    assert {"quick", "__DEFAULT__"} <= {row["Name"] for row in openstack.json("volume type list")}
    assert "already exists" in openstack.error("volume type create quick")

    assert demo.openstack.json("volume type show quick")["properties"] == {}
    demo.openstack("volume create --size 1 --type quick quick-data")
    volume = demo.wait_for("quick-data")
    assert openstack.json(f"volume show {volume.id}")["os-vol-host-attr:host"] == "box@fast#fast"
    assert "still in use" in openstack.error("volume type delete quick")
    demo.openstack("volume delete quick-data")
    demo.wait_until_gone(volume.id)
    openstack("volume type delete quick")
    assert "No Type found for quick" in openstack.error("volume type show quick")


def test_private_volume_type(admin: Account, demo: Account) -> None:
    admin.openstack("volume type create --private hidden")
    assert admin.openstack.json("volume type show hidden")["is_public"] is False
    assert "hidden" not in {row["Name"] for row in demo.openstack.json("volume type list")}
    assert "could not be found" in demo.openstack.error("volume create --size 1 --type hidden v")
    admin.openstack("volume type set --public hidden")
    assert demo.openstack.json("volume type show hidden")["is_public"] is True
    admin.openstack("volume type delete hidden")


def test_default_volume_type(demo: Account) -> None:
    [row] = demo.openstack.json("volume type list --default")
    assert row["Name"] == "__DEFAULT__"


def test_services(admin: Account) -> None:
    openstack = admin.openstack
    services = {(row["Binary"], row["Host"]): row for row in openstack.json("volume service list")}
    assert services.keys() == {
        ("cinder-backup", "box@main"),
        ("cinder-scheduler", "box"),
        ("cinder-volume", "box@fast"),
        ("cinder-volume", "box@slow"),
    }
    assert {(row["Status"], row["State"]) for row in services.values()} == {("enabled", "up")}
    assert services["cinder-volume", "box@fast"]["Backend State"] == "up"


def test_a_disabled_service_gets_nothing(admin: Account, member: Account) -> None:
    openstack = admin.openstack
    openstack("volume service set --disable --disable-reason 'New disks' box@slow cinder-volume")
    try:
        [slow] = openstack.json("volume service list --long --host box@slow")
        assert (slow["Status"], slow["Disabled Reason"]) == ("disabled", "New disks")
        for number in range(2):
            volume = member.create(f"v{number}")
            host = admin.connection.block_storage.find_volume(volume.id, all_projects=True).host
            assert host == "box@fast#fast"
    finally:
        openstack("volume service set --enable box@slow cinder-volume")
    [slow] = openstack.json("volume service list --long --host box@slow --service cinder-volume")
    assert (slow["Status"], slow["Disabled Reason"]) == ("enabled", None)


def test_pools(admin: Account) -> None:
    names = [row["Name"] for row in admin.openstack.json("volume backend pool list")]
    assert names == ["box@fast#fast", "box@slow#slow"]
    [fast, _] = admin.openstack.json("volume backend pool list --long")
    capabilities = fast["Capabilities"]
    assert (capabilities["volume_backend_name"], capabilities["storage_protocol"]) == (
        "fast",
        "file",
    )
    assert capabilities["total_capacity_gb"] == 100


def test_quotas(admin: Account, member: Account) -> None:
    openstack = admin.openstack
    openstack(f"quota set --volumes 3 --gigabytes 30 --per-volume-gigabytes 10 {member.name}")
    limits = {row["Resource"]: row["Limit"] for row in openstack.json(f"quota show {member.name}")}
    assert (limits["volumes"], limits["gigabytes"], limits["per-volume-gigabytes"]) == (3, 30, 10)
    own = {row["Resource"]: row["Limit"] for row in member.openstack.json("quota show")}
    assert own == limits
    too_large = member.openstack.error("volume create --size 11 v")
    assert "413" in too_large
    assert "larger than maximum allowed limit 10G" in too_large
    [listed] = [
        row
        for row in openstack.json("quota list --volume")
        if row["Project ID"] == member.project_id
    ]
    assert (listed["Volumes"], listed["Gigabytes"]) == (3, 30)
    shown = openstack.json(f"limits show --absolute --project {member.name}")
    assert {row["Name"]: row["Value"] for row in shown}["max_total_volumes"] == 3
    openstack(f"quota set --volume-type __DEFAULT__ --volumes 0 {member.name}")
    assert "volumes___DEFAULT__" in member.openstack.error("volume create --size 1 v")
    openstack(f"quota delete {member.name}")
    default = {row["Resource"]: row["Limit"] for row in openstack.json("quota show --default")}
    again = {row["Resource"]: row["Limit"] for row in member.openstack.json("quota show")}
    assert again == default


def test_default_quotas(admin: Account, member: Account) -> None:
    def volumes() -> int:
        limits = member.openstack.json("quota show")
        return next(row["Limit"] for row in limits if row["Resource"] == "volumes")

    before = volumes()
    admin.openstack("quota set --default --volumes 77")
    try:
        assert volumes() == 77
    finally:
        admin.openstack(f"quota set --default --volumes {before}")
    assert volumes() == before


def test_zones_and_filters(user: Account) -> None:
    zones = user.openstack.json("availability zone list --volume")
    assert zones == [{"Zone Name": "nova", "Zone Status": "available"}]
    assert user.openstack.json("limits show --rate") == []
    filters = user.openstack.json("block storage resource filter list")
    assert "name~" in next(row["Filters"] for row in filters if row["Resource"] == "volume")
    assert user.openstack.json("extension list --volume")


@pytest.mark.parametrize(("command", "policy"), NOT_FOR_MEMBERS.items())
def test_not_for_members(demo: Account, command: str, policy: str) -> None:
    error = demo.openstack.error(command)
    assert "403" in error
    assert f"Policy doesn't allow {policy} to be performed." in error
