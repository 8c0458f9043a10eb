"""The real clients against a real server: openstacksdk, keystoneclient and the command line."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openstack
import pytest
import yaml
from keystoneauth1 import exceptions
from keystoneauth1.identity import v3
from keystoneauth1.session import Session
from keystoneclient.v3.client import Client as KeystoneClient
from openstack.connection import Connection
from openstack.exceptions import SDKException

from storage_project.identity.models import Role
from tests.clients.command_line import CommandLine
from tests.identity.conftest import PASSWORD, Account, make_account

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def roles(transactional_db: None) -> None:
    """Those of the migration: a test with real transactions empties the tables when it ends."""
    for name in ("admin", "member", "reader", "service"):
        Role.objects.get_or_create(name=name)


@pytest.fixture
def admin(transactional_db: None) -> Account:
    return make_account("admin", "admin")


@pytest.fixture
def demo(transactional_db: None) -> Account:
    return make_account("demo", "member")


@pytest.fixture
def connect(live_server: Any) -> Iterator[Callable[..., Connection]]:
    connections = []

    def connect(name: str, password: str = PASSWORD, **how: str) -> Connection:
        connection = openstack.connect(
            load_yaml_config=False,
            load_envvars=False,
            auth_url=f"{live_server.url}/identity",
            username=name,
            password=password,
            user_domain_name="Default",
            project_domain_name="Default",
            **({"project_name": name} | how),
        )
        connections.append(connection)
        return connection

    yield connect
    for connection in connections:
        connection.close()


def test_sdk_as_admin(connect: Callable[..., Connection], admin: Account) -> None:
    identity = connect("admin").identity
    project = identity.create_project(name="orchard", description="Apples")
    assert identity.find_project("orchard", ignore_missing=False).id == project.id
    user = identity.create_user(name="ann", password="secret", default_project_id=project.id)
    identity.update_user(user, email="ann@example.org")
    role = identity.find_role("member", ignore_missing=False)
    identity.assign_project_role_to_user(project, user, role)
    assert identity.validate_user_has_project_role(project, user, role)
    [held] = identity.role_assignments(scope_project_id=project.id, include_names=True)
    assert (held.user["name"], held.role["name"]) == ("ann", "member")

    theirs = connect("ann", "secret", project_name="orchard")
    assert [project.name for project in theirs.identity.user_projects(user.id)] == ["orchard"]
    theirs.identity.update_password(user.id, "secret", "better")
    assert connect("ann", "better", project_name="orchard").authorize()

    identity.update_project(project, is_enabled=False)
    with pytest.raises(SDKException, match="no access to this project"):
        connect("ann", "better", project_name="orchard").authorize()
    identity.unassign_project_role_from_user(project, user, role)
    identity.delete_user(user, ignore_missing=False)
    identity.delete_project(project, ignore_missing=False)
    assert [user.name for user in identity.users()] == ["admin"]
    assert [project.name for project in identity.projects()] == ["admin"]


def test_sdk_finds_block_storage(
    connect: Callable[..., Connection], demo: Account, live_server: Any
) -> None:
    connection = connect("demo")
    for service_type in ("block-storage", "volumev3"):
        url = connection.session.get_endpoint(service_type=service_type, interface="public")
        assert url == f"{live_server.url}/v3/{demo.project.pk}"
    assert connection.block_storage.get_endpoint() == f"{live_server.url}/v3/{demo.project.pk}"


def test_sdk_turns_the_pages(connect: Callable[..., Connection], admin: Account) -> None:
    identity = connect("admin").identity
    for number in range(5):
        identity.create_role(name=f"role-{number}")
    names = [role.name for role in identity.roles(limit=2)]
    assert names == sorted(names)
    assert {f"role-{number}" for number in range(5)} < set(names)


def test_sdk_signs_in_again_when_its_token_ends(
    connect: Callable[..., Connection], demo: Account
) -> None:
    connection = connect("demo")
    first = connection.auth_token
    demo.user.tokens.all().delete()
    assert connection.identity.find_user("demo", ignore_missing=False).name == "demo"
    assert connection.auth_token != first


def test_keystoneclient_checks_and_revokes_tokens(live_server: Any, demo: Account) -> None:
    auth = v3.Token(f"{live_server.url}/identity/v3", demo.secret, project_id=demo.project.pk)
    session = Session(auth)
    client = KeystoneClient(session=session)
    secret = session.get_token()
    data = client.tokens.get_token_data(secret)["token"]
    assert data["project"]["id"] == demo.project.pk
    client.tokens.revoke_token(secret)
    with pytest.raises(exceptions.Unauthorized):
        v3.Token(f"{live_server.url}/identity/v3", secret).get_access(Session())


def test_openstack_command(live_server: Any, tmp_path: Path, admin: Account) -> None:
    clouds = tmp_path / "clouds.yaml"
    auth = {
        "auth_url": f"{live_server.url}/identity/v3",
        "username": "admin",
        "password": PASSWORD,
        "project_name": "admin",
        "user_domain_id": "default",
        "project_domain_id": "default",
    }
    clouds.write_text(yaml.safe_dump({"clouds": {"khoi": {"auth": auth}}}))
    openstack = CommandLine("openstack", {"OS_CLIENT_CONFIG_FILE": str(clouds), "OS_CLOUD": "khoi"})
    secret = openstack("token issue -f value -c id").strip()
    assert "volumev3" in openstack("catalog list")
    openstack("project create orchard")
    openstack("user create ann --password secret --project orchard")
    openstack("role add --user ann --project orchard member")
    assert "ann@Default" in openstack("role assignment list --names")
    openstack("user delete ann")
    openstack("project delete orchard")
    openstack(f"token revoke {secret}")
