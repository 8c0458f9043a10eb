"""One Khoi for all tests here, and users of it."""

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.clients.account import Account
from tests.postgres import create_database
from tests.stack import (
    HOST,
    Stack,
    directory_repository,
    file_backends,
    simulated_hypervisor,
    wait_until,
)

BACKENDS = ("fast", "slow")
SERVERS = ("alpha", "beta")


def pytest_configure(config: pytest.Config) -> None:
    """What the clients' authors mean to remove from them is not for us to mend."""
    for package in ("openstack", "osc_lib", "cinderclient", "keystoneclient"):
        config.addinivalue_line("filterwarnings", f"ignore:::{package}")


@pytest.fixture(scope="package")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The clouds.yaml of a Khoi that runs: everything that `up` starts and clients need."""
    home = tmp_path_factory.mktemp("khoi")
    url = os.environ.get("DATABASE_URL")
    stack = Stack(
        home,
        database_url=create_database(url) if url else f"sqlite:///{home / 'khoi.sqlite3'}",
        configuration=file_backends(*BACKENDS, capacity_gib=100)
        + simulated_hypervisor("lab", *SERVERS)
        + directory_repository("main"),
    )
    stack.environment["DJANGO_SETTINGS_MODULE"] = "tests.settings_quick_to_sign_in"
    with stack:
        stack.start_worker("control", queue="control")
        queues = ",".join(f"volume.{HOST}@{name}" for name in BACKENDS)
        stack.start_worker("volume", queue=queues)
        stack.start_worker("data", queue=f"data.{HOST}", threads=True)
        stack.start_worker("compute", queue=f"compute.{HOST}", threads=True)
        stack.start_dispatcher()
        clouds = stack.prepare(stack.start_web())
        pools = Account("admin", clouds).connection.block_storage.backend_pools
        wait_until(lambda: len(list(pools())) == len(BACKENDS), "the pools of the backends")
        services = Account("admin", clouds).connection.block_storage.services
        repositories = {"binary": "cinder-backup"}
        wait_until(lambda: bool(list(services(**repositories))), "the repository")
        servers = Account("demo", clouds).connection.compute.servers
        wait_until(lambda: len(list(servers())) == len(SERVERS), "the servers of the hypervisor")
        yield clouds


@pytest.fixture(scope="package")
def admin(clouds: Path) -> Account:
    """The administrator whom `up` makes."""
    return Account("admin", clouds)


@pytest.fixture(scope="package")
def demo(clouds: Path) -> Account:
    """The plain member whom `up` makes."""
    return Account("demo", clouds)


@pytest.fixture(params=["demo", "admin"])
def user(request: pytest.FixtureRequest, clouds: Path) -> Account:
    """Each of the two, one after the other."""
    return Account(request.param, clouds)


@pytest.fixture(scope="package")
def basic(demo: Account) -> Account:
    """The plain member, who sends name and password with every request instead of a token."""
    who = {key: demo.auth[key] for key in ("username", "password")}
    auth = {"endpoint": f"{demo.url}/v3", **who}
    return add_cloud(demo.clouds, "basic", auth_type="http_basic", auth=auth)


@pytest.fixture
def open_account(admin: Account) -> Callable[[str], Account]:
    """Makes a user with a role, in a project of its own, where nothing is yet."""

    def open_account(role: str) -> Account:
        identity = admin.connection.identity
        name = f"{role}-{secrets.token_hex(3)}"
        password = secrets.token_hex()
        project = identity.create_project(name=name)
        user = identity.create_user(name=name, password=password, default_project_id=project.id)
        its_role = identity.find_role(role, ignore_missing=False)
        identity.assign_project_role_to_user(project, user, its_role)
        who = {"username": name, "password": password, "project_name": name}
        return add_cloud(admin.clouds, name, auth={**admin.auth, **who})

    return open_account


@pytest.fixture
def member(open_account: Callable[[str], Account]) -> Account:
    """A plain member of a project where nothing is yet."""
    return open_account("member")


def add_cloud(path: Path, name: str, **changes: object) -> Account:
    """One more cloud, like that of the administrator but for the changes."""
    document = yaml.safe_load(path.read_text())
    document["clouds"][name] = document["clouds"]["admin"] | changes
    path.write_text(yaml.safe_dump(document))
    return Account(name, path)
