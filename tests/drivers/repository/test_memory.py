from pathlib import Path

import pytest

from drivers.errors import DriverError, Reason
from drivers.faults import Fault
from drivers.options import read_options
from drivers.repository.memory import MemoryRepository
from drivers.units import GIB, MIB
from tests.contracts.repository_driver import RepositoryContract, keys_of, refused


def memory_repository(**options) -> MemoryRepository:
    repository = MemoryRepository(
        MemoryRepository.Options(**options), name="simulated", home=Path("/")
    )
    repository.check()
    return repository


class TestMemoryRepository(RepositoryContract):
    @pytest.fixture
    def repository(self):
        return memory_repository()

    @pytest.fixture
    def full_repository(self):
        return memory_repository(capacity_gib=0.5 * MIB / GIB)


def test_options_come_from_the_configuration():
    values = {"capacity_gib": 10, "failure_rate": 0.5, "seed": 3}
    options = read_options(MemoryRepository.Options, values, where="repositories.simulated")
    assert options == MemoryRepository.Options(capacity_gib=10, failure_rate=0.5, seed=3)


def test_space_comes_back():
    repository = memory_repository(capacity_gib=MIB / GIB)
    repository.put("a", [bytes(MIB)])
    repository.put("a", [bytes(MIB)])  # what is there is replaced
    assert repository.stats().free_bytes == 0
    with refused(Reason.no_space):
        repository.put_new("b", [b"x"])
    repository.delete(["a", "a"])
    assert repository.stats().free_bytes == repository.stats().total_bytes == MIB


def test_a_lost_reply_leaves_the_effect():
    repository = memory_repository()
    repository.faults.next("put_new", Fault.lost_reply())
    with refused(Reason.unavailable, retryable=True):
        repository.put_new("backups/v/b", [b"x"])
    assert repository.get("backups/v/b") == b"x"
    assert repository.put_new("backups/v/b", [b"x"]) is False


@pytest.mark.parametrize("act", ["put", "put_new", "get", "get_range", "list_objects", "delete"])
def test_every_act_can_fail(act):
    repository = memory_repository(failure_rate=1)
    arguments = {
        "put": ("config", [b"x"]),
        "put_new": ("config", [b"x"]),
        "get": ("config",),
        "get_range": ("config", 0, 1),
        "list_objects": ("",),
        "delete": (["config"],),
    }
    with pytest.raises(DriverError, match="The simulated backend failed"):
        getattr(repository, act)(*arguments[act])


def test_a_failed_act_does_nothing():
    repository = memory_repository()
    repository.faults.next("put", Fault.failure(code=Reason.no_space))
    with refused(Reason.no_space):
        repository.put("config", [b"x"])
    assert keys_of(repository) == []


def test_looking_at_its_room_never_fails_by_chance():
    repository = memory_repository(failure_rate=1, lost_reply_rate=1)
    repository.check()
    assert repository.stats().total_bytes == 1024 * GIB
