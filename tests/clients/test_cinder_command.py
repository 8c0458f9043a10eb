"""`cinder …`, the shell of python-cinderclient."""

import re

from tests.clients.account import Account


def table(output: str) -> dict[str, str]:
    """A table of properties and values."""
    rows = re.findall(r"^\| (.+?) *\| (.*?) *\|$", output, re.MULTILINE)
    return dict(rows)


def column(output: str, name: str) -> list[str]:
    """One column of a table."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in output.splitlines()
        if line.startswith("|")
    ]
    position = rows[0].index(name)
    return [row[position] for row in rows[1:]]


def test_life_of_a_volume(user: Account) -> None:
    cinder = user.cinder
    made = table(cinder("create 1 --name cinders --metadata a=b --description ash --poll"))
    assert (made["status"], made["size"], made["name"]) == ("available", "1", "cinders")
    cinder("metadata cinders set c=d")
    cinder("metadata cinders unset a")
    metadata = table(cinder("metadata-show cinders"))
    assert metadata.items() >= {("c", "d")}
    assert "a" not in metadata
    cinder("metadata-update-all cinders e=f")
    cinder("extend cinders 2")
    user.wait_for_size("cinders", 2)
    cinder("rename cinders ashes --description cold")
    cinder("set-bootable ashes true")
    cinder("readonly-mode-update ashes true")
    shown = table(cinder("show ashes"))
    assert (shown["id"], shown["size"], shown["bootable"]) == (made["id"], "2", "true")
    assert (shown["description"], shown["volume_type"]) == ("cold", "__DEFAULT__")
    assert "e : f" in shown["metadata"]
    assert made["id"] in column(cinder("list --name ashes"), "ID")
    assert "has been accepted" in cinder("delete ashes")
    user.wait_until_gone(made["id"])
    assert "No volume with a name or ID of 'ashes' exists" in cinder.error("show ashes")


def test_lists(member: Account) -> None:
    for name in ("alpha", "beta", "gamma"):
        member.create(name, metadata={"letter": name[0]})
    cinder = member.cinder
    assert column(cinder("list --sort name:asc"), "Name") == ["alpha", "beta", "gamma"]
    assert column(cinder("list --sort name:desc --limit 2"), "Name") == ["gamma", "beta"]
    assert column(cinder("list --metadata letter=b"), "Name") == ["beta"]
    newest = "--os-volume-api-version 3.71"
    assert column(cinder(f"{newest} list --filters name~=mm"), "Name") == ["gamma"]
    assert table(cinder(f"{newest} summary"))["total_count"] == "3"
    assert column(cinder(f"{newest} message-list"), "ID") == []


def test_what_a_member_reads(demo: Account) -> None:
    cinder = demo.cinder
    assert table(cinder("availability-zone-list"))["nova"] == "available"
    assert "__DEFAULT__" in column(cinder("type-list"), "Name")
    assert column(cinder("type-default"), "Name") == ["__DEFAULT__"]
    assert table(cinder("absolute-limits"))["maxTotalVolumes"] == "10"
    assert column(cinder("rate-limits"), "Verb") == []
    assert "volumes" in column(cinder(f"quota-usage {demo.project_id}"), "Type")
    assert "3.71" in cinder("version-list")
    assert "os-quota-sets" in column(cinder("list-extensions"), "Alias")
    assert "volume" in column(cinder("list-filters"), "Resource")
    assert "Policy doesn't allow service:list to be performed. (HTTP 403)" in cinder.error(
        "service-list"
    )


def test_administration(admin: Account, member: Account) -> None:
    cinder = admin.cinder
    made = cinder("type-create gold --description Shiny")
    assert column(made, "Name") == ["gold"]
    cinder("type-key gold set volume_backend_name=slow")
    assert "'volume_backend_name': 'slow'" in cinder("extra-specs-list")
    cinder("type-key gold unset volume_backend_name")
    [type_id] = column(made, "ID")
    assert column(cinder(f"type-update {type_id} --name golden"), "Name") == ["golden"]
    cinder("type-delete golden")
    assert "golden" not in cinder("type-list")

    assert "slow" in column(
        cinder("service-disable box@slow cinder-volume --reason slow"), "Disabled Reason"
    )
    assert column(cinder("service-list --host box@slow"), "Status") == ["disabled"]
    cinder("service-enable box@slow cinder-volume")
    assert column(cinder("service-list --host box@slow"), "Status") == ["enabled"]
    assert cinder("get-pools --detail").count("total_capacity_gb") == 2

    project = member.project_id
    assert table(cinder(f"quota-update {project} --volumes 1"))["volumes"] == "1"
    member.create("only")
    assert "HTTP 413" in member.cinder.error("create 1 --name more")
    cinder(f"quota-delete {project}")
    shown = table(cinder(f"quota-show {project}"))
    assert shown["volumes"] == table(cinder(f"quota-defaults {project}"))["volumes"]
    assert shown["volumes"] == table(cinder("quota-class-show default"))["volumes"]

    volume = member.wait_for("only")
    assert volume.id in column(cinder(f"list --all-tenants --tenant {project}"), "ID")
    cinder(f"reset-state {volume.id} --state error")
    assert table(cinder(f"show {volume.id}"))["status"] == "error"
    cinder(f"force-delete {volume.id}")
    member.wait_until_gone(volume.id)


def test_failure_and_its_message(admin: Account, member: Account) -> None:
    """`--poll` tells what the message says."""
    admin.cinder("type-create lost")
    admin.cinder("type-key lost set volume_backend_name=lost")
    cinder = member.cinder
    newest = "--os-volume-api-version 3.71"
    error = cinder.error(f"{newest} create 1 --name lost --volume-type lost --poll")
    assert "does not offer volume_backend_name=lost" in error
    [message_id] = column(cinder(f"{newest} message-list"), "ID")
    shown = table(cinder(f"{newest} message-show {message_id}"))
    assert shown["event_id"] == "VOLUME_NO_BACKEND"
    cinder(f"{newest} message-delete {message_id}")
    assert column(cinder(f"{newest} message-list"), "ID") == []
    assert "HTTP 413" not in cinder("delete lost")
    member.wait_until_gone("lost")
    admin.cinder("type-delete lost")
