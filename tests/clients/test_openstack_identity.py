"""`openstack token`, `catalog`, `project`, `user` and `role`."""

import re
import secrets

from tests.clients.account import Account


def test_token(user: Account) -> None:
    token = user.openstack.json("token issue")
    assert token["project_id"] == user.project_id
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000", token["expires"])
    headers = {"X-Auth-Token": token["id"]}
    assert user.http("GET", "/v3/volumes", **headers).status_code == 200
    user.openstack(f"token revoke {token['id']}")
    assert user.http("GET", "/v3/volumes", **headers).status_code == 401


def test_catalog(user: Account) -> None:
    catalog = {entry["Type"]: entry for entry in user.openstack.json("catalog list")}
    assert catalog.keys() == {"block-storage", "volumev3", "identity", "compute"}
    for service_type in ("block-storage", "volumev3"):
        endpoints = catalog[service_type]["Endpoints"]
        assert {endpoint["interface"] for endpoint in endpoints} == {"public", "internal", "admin"}
        assert {endpoint["url"] for endpoint in endpoints} == {f"{user.url}/v3/{user.project_id}"}
    assert "RegionOne" in user.openstack("catalog show volumev3")
    types = {row["Type"] for row in user.openstack.json("service list")}
    assert types == catalog.keys()
    assert len(user.openstack.json("endpoint list --service block-storage")) == 3


def test_versions(demo: Account) -> None:
    [volume] = demo.openstack.json("versions show --service block-storage")
    assert (volume["Min Microversion"], volume["Max Microversion"]) == ("3.0", "3.71")
    assert volume["Endpoint"] == f"{demo.url}/v3/"


def test_administration(admin: Account) -> None:
    openstack = admin.openstack
    orchard = openstack.json("project create --description Apples orchard")
    openstack("project set --name garden --description Pears orchard")
    assert openstack.json("project show garden")["description"] == "Pears"
    assert "garden" in {row["Name"] for row in openstack.json("project list")}
    secret = secrets.token_hex()
    ann = openstack.json(
        f"user create --project garden --email ann@example.org --password {secret} ann"
    )
    assert ann["default_project_id"] == orchard["id"]
    openstack("role add --user ann --project garden member")
    [assignment] = openstack.json("role assignment list --user ann --names")
    assert (assignment["Role"], assignment["Project"]) == ("member", "garden@Default")

    as_ann = f"--os-username ann --os-password {secret} --os-project-name garden"
    assert openstack.json(f"{as_ann} token issue")["user_id"] == ann["id"]
    assert openstack.json(f"{as_ann} volume list") == []
    better = secrets.token_hex()
    openstack(f"{as_ann} user password set --original-password {secret} --password {better}")
    assert "401" in openstack.error(f"{as_ann} token issue")
    openstack("user set --disable --name anna ann")
    assert openstack.json("user show anna")["enabled"] is False
    as_anna = f"--os-username anna --os-password {better} --os-project-name garden"
    assert "401" in openstack.error(f"{as_anna} token issue")

    openstack("role create gardener")
    assert "gardener" in {row["Name"] for row in openstack.json("role list")}
    openstack("role delete gardener")
    openstack("role remove --user anna --project garden member")
    assert openstack.json("role assignment list --user anna") == []
    openstack("user delete anna")
    openstack("project delete garden")
    assert "anna" in openstack.error("user show anna")
    assert "garden" in openstack.error("project show garden")


def test_a_member_sees_itself_and_changes_nobody(demo: Account) -> None:
    openstack = demo.openstack
    assert openstack.json("project show demo")["id"] == demo.project_id
    assert openstack.json("user show demo")["default_project_id"] == demo.project_id
    assert [row["Name"] for row in openstack.json("project list")] == ["demo"]
    assert [row["Name"] for row in openstack.json("user list")] == ["demo"]
    for command in ("project create mine", "user create me", "role create mine"):
        assert "403" in openstack.error(command)
    # The client says nothing when it is refused.
    openstack("role add --user demo --project demo admin")
    [assignment] = openstack.json("role assignment list --user demo --names")
    assert assignment["Role"] == "member"


def test_http_basic(basic: Account) -> None:
    """No token, no catalog: every service is at the one endpoint."""
    openstack = basic.openstack
    openstack("volume create --size 1 basic")
    basic.wait_for("basic")
    openstack("volume set --size 2 basic")
    basic.wait_for_size("basic", 2)
    assert openstack.json("volume list --name basic")[0]["Size"] == 2
    assert openstack.json("volume message list") == []
    openstack("volume delete basic")
    basic.wait_until_gone("basic")
    assert "401" in openstack.error("--os-password wrong volume list")
