"""Accounts, a pool, and a machine that reaches a repository."""

import pytest

from backups.repositories import BINARY
from tests.accounts import Account, open_account
from tests.factories import PoolFactory, ServiceFactory, VolumeFactory
from volumes.models import Pool, Service, Volume, VolumeType
from volumes.services.types import ensure_default_type


@pytest.fixture
def default_type(db: None) -> VolumeType:
    return ensure_default_type()


@pytest.fixture
def member(default_type: VolumeType) -> Account:
    return open_account("member")


@pytest.fixture
def admin(default_type: VolumeType) -> Account:
    """An administrator, of another project."""
    return open_account("admin")


@pytest.fixture
def pool(db: None) -> Pool:
    return PoolFactory(service__host="khoi@fast", name="ssd", backend="fast")


@pytest.fixture
def repository(db: None) -> Service:
    """`main`, as the machine of the pool tells of it."""
    return ServiceFactory(binary=BINARY, host="khoi@main")


@pytest.fixture
def volume(member: Account, pool: Pool, repository: Service) -> Volume:
    return VolumeFactory(project_id=member.project.pk, pool=pool, size_gib=2)
