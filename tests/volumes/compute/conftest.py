from dataclasses import replace

import pytest

from drivers.hypervisor.memory import MemoryHypervisor
from tests.accounts import Account, open_account
from tests.operations.world import World
from volumes.hypervisors import open_hypervisor
from volumes.models import Server, Volume


@pytest.fixture
def member(world: World) -> Account:
    return open_account("member")


@pytest.fixture
def reader(member: Account) -> Account:
    """A reader of the member's project."""
    return open_account("reader", project=member.project)


@pytest.fixture
def stranger(world: World) -> Account:
    """A member of another project."""
    return open_account("member")


@pytest.fixture
def admin(world: World) -> Account:
    """An administrator, of another project."""
    return open_account("admin")


@pytest.fixture
def lab(world: World, member: Account) -> World:
    """The simulated backends and servers, in the member's project."""
    return replace(world, caller=member.caller)


@pytest.fixture
def hypervisor(world: World) -> MemoryHypervisor:
    """The simulated hypervisor itself, for what happens on its side."""
    found = open_hypervisor("lab")
    assert isinstance(found, MemoryHypervisor)
    return found


@pytest.fixture
def server(lab: World) -> Server:
    return lab.server()


@pytest.fixture
def volume(lab: World) -> Volume:
    return lab.volume()
