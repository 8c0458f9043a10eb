"""What a user is told when a volume cannot be made: the message, and the quota that is full."""

from tests.clients.account import Account


def test_message_tells_why_there_is_no_place(admin: Account, member: Account) -> None:
    openstack = member.openstack
    admin.openstack("volume type create --property volume_backend_name=gone nowhere")
    made = openstack.json("volume create --size 1 --type nowhere homeless")
    member.wait_for("homeless", "error")
    [listed] = openstack.json("volume message list")
    assert listed["Event ID"] == "VOLUME_NO_BACKEND"
    assert (listed["Resource Type"], listed["Resource UUID"]) == ("VOLUME", made["id"])
    for backend in ("box@fast#fast", "box@slow#slow"):
        assert f"{backend} does not offer volume_backend_name=gone" in listed["User Message"]
    shown = openstack.json(f"volume message show {listed['ID']}")
    assert {name: shown[name] for name in listed} == listed
    [seen] = admin.openstack.json(f"volume message list --project {member.name}")
    assert seen == listed

    openstack(f"volume message delete {listed['ID']}")
    # The user's word comes before that of clouds.yaml.
    assert openstack.json("--os-volume-api-version 3.3 volume message list") == []
    assert "Failed to delete 1 of 1" in openstack.error(f"volume message delete {listed['ID']}")
    openstack("volume delete homeless")
    member.wait_until_gone("homeless")
    admin.openstack("volume type delete nowhere")


def test_quota(admin: Account, member: Account) -> None:
    openstack = member.openstack
    admin.openstack(f"quota set --volumes 1 --gigabytes 2 {member.name}")
    openstack("volume create --size 1 first")
    member.wait_for("first")
    error = openstack.error("volume create --size 1 second")
    assert "413" in error
    assert "volumes" in error
    error = openstack.error("volume set --size 3 first")
    assert "413" in error
    assert "gigabytes" in error
    limits = {row["Name"]: row["Value"] for row in openstack.json("limits show --absolute")}
    assert (limits["max_total_volumes"], limits["total_volumes_used"]) == (1, 1)
    assert (limits["max_total_volume_gigabytes"], limits["total_gigabytes_used"]) == (2, 1)
    usage = {row["Resource"]: row for row in openstack.json("quota show --usage")}
    assert usage["volumes"] == {"Resource": "volumes", "Limit": 1, "In Use": 1, "Reserved": 0}
    openstack("volume delete first")
    member.wait_until_gone("first")
    openstack("volume create --size 2 second")
