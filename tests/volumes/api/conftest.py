import pytest

from tests.accounts import Account, open_account
from tests.factories import PoolFactory
from volumes.models import Pool, VolumeType
from volumes.services.types import ensure_default_type


@pytest.fixture
def default_type(db: None) -> VolumeType:
    return ensure_default_type()


@pytest.fixture
def member(default_type: VolumeType) -> Account:
    return open_account("member")


@pytest.fixture
def reader(member: Account) -> Account:
    """A reader of the member's project."""
    return open_account("reader", project=member.project)


@pytest.fixture
def admin(default_type: VolumeType) -> Account:
    """An administrator, of another project."""
    return open_account("admin")


@pytest.fixture
def pool(db: None) -> Pool:
    return PoolFactory(service__host="khoi@fast", name="ssd", backend="fast")
