import pytest

from tests.accounts import open_account
from tests.backups.failures.site import Site
from tests.operations.engine import Engine
from tests.operations.world import World
from volumes.models import VolumeType


@pytest.fixture
def site(transactional_db: None, default_type: VolumeType) -> Site:
    """Before a configuration: each test has its own."""
    account = open_account("member")
    return Site(World(account.caller, default_type, Engine()), account)
