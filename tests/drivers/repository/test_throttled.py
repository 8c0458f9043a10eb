import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from drivers.errors import Reason
from drivers.faults import Fault
from drivers.repository.memory import MemoryRepository
from drivers.repository.throttled import Throttle, ThrottledRepository
from drivers.units import GIB, KIB, MIB
from tests.contracts.repository_driver import RepositoryContract, refused


def memory_repository(**options) -> MemoryRepository:
    return MemoryRepository(MemoryRepository.Options(**options), name="simulated", home=Path("/"))


def throttled(*throttles: Throttle, **options) -> ThrottledRepository:
    return ThrottledRepository(memory_repository(**options), *throttles)


def seconds_of(act) -> float:
    begin = time.monotonic()
    act()
    return time.monotonic() - begin


class TestThrottledRepository(RepositoryContract):
    @pytest.fixture
    def repository(self):
        return throttled(Throttle(bytes_per_s=GIB, calls=2), Throttle(calls=4))

    @pytest.fixture
    def full_repository(self):
        return throttled(Throttle(bytes_per_s=GIB, calls=2), capacity_gib=0.5 * MIB / GIB)


def test_it_is_like_what_it_throttles():
    inner = memory_repository()
    repository = ThrottledRepository(inner)
    assert repository.in_process
    assert repository.creates_once
    assert (repository.name, repository.home) == (inner.name, inner.home)
    assert repository.options is inner.options


@pytest.mark.parametrize("act", ["put", "put_new", "get", "get_range"])
def test_threads_share_the_rate(act):
    repository = throttled(Throttle(bytes_per_s=MIB))
    repository.repository.put("old", [bytes(64 * KIB)])
    acts = {
        "put": lambda number: repository.put(f"new/{number}", [bytes(60 * KIB), bytes(4 * KIB)]),
        "put_new": lambda number: repository.put_new(f"new/{number}", [bytes(64 * KIB)]),
        "get": lambda number: repository.get("old"),
        "get_range": lambda number: repository.get_range("old", 0, 64 * KIB),
    }

    def move_eight_times() -> None:
        with ThreadPoolExecutor(4 if act != "get" else 1) as threads:
            list(threads.map(acts[act], range(8)))

    # The first goes at once, and seven wait for those before them.
    assert seconds_of(move_eight_times) >= 7 * 64 * KIB / MIB


def test_the_tightest_of_several_rates_counts():
    host, slow = Throttle(bytes_per_s=GIB), Throttle(bytes_per_s=MIB)
    repository, other = throttled(host, slow), throttled(host)

    def put(repository) -> float:
        return seconds_of(lambda: [repository.put("a", [bytes(128 * KIB)]) for _ in range(3)])

    assert put(repository) >= 2 * 128 * KIB / MIB
    assert put(other) < 2 * 128 * KIB / MIB


def test_time_without_calls_is_not_saved_up():
    repository = throttled(Throttle(bytes_per_s=MIB))
    repository.put("a", [bytes(KIB)])
    time.sleep(0.3)
    assert seconds_of(lambda: [repository.put("a", [bytes(64 * KIB)]) for _ in range(4)]) >= 3 / 16


def test_no_more_calls_than_that_are_under_way():
    repository = throttled(Throttle(calls=2))
    faults = repository.repository.faults
    faults.next("put", *[Fault.hang(20)] * 2)
    begun = threading.Semaphore(0)

    def put(number: int) -> None:
        begun.release()
        repository.put(f"a/{number}", [b"x"])

    with ThreadPoolExecutor(3) as threads:
        puts = [threads.submit(put, number) for number in range(3)]
        for _ in puts:
            begun.acquire()
        faults.wait_for_hanging(2)
        time.sleep(0.2)  # in which the third would be done
        assert list(repository.list_objects("")) == []  # a list takes no place
        faults.release()
    assert len(list(repository.list_objects(""))) == 3


def test_a_call_that_fails_gives_its_place_back():
    repository = throttled(Throttle(calls=1), failure_rate=1)
    for _ in range(3):
        with refused(Reason.failed):
            repository.put("a", [b"x"])
