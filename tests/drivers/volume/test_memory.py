from pathlib import Path

import pytest

from drivers.errors import DriverError, Reason
from drivers.faults import Fault
from drivers.options import read_options
from drivers.units import GIB, KIB, MIB
from drivers.volume.memory import MemoryDriver
from tests.contracts.volume_driver import SOME, A, Bench, VolumeDriverContract, new_id


def memory_driver(**options) -> MemoryDriver:
    driver = MemoryDriver(MemoryDriver.Options(**options), name="simulated", home=Path("/"))
    driver.check()
    return driver


class TestThinMemoryDriver(VolumeDriverContract):
    @pytest.fixture
    def driver(self):
        return memory_driver()

    @pytest.fixture
    def full_driver(self):
        return memory_driver(full=True)


class TestThickMemoryDriver(VolumeDriverContract):
    @pytest.fixture
    def driver(self):
        return memory_driver(thin=False)

    @pytest.fixture
    def full_driver(self):
        return memory_driver(thin=False, capacity_gib=0.5)


def test_options_come_from_the_configuration():
    values = {"capacity_gib": 10, "failure_rate": 0.5, "seed": 3, "full": True}
    options = read_options(MemoryDriver.Options, values, where="backends.simulated")
    assert options == MemoryDriver.Options(capacity_gib=10, failure_rate=0.5, seed=3, full=True)


def test_a_full_disk_claims_to_have_room():
    """What the scheduler believes until the backend says otherwise."""
    bench = Bench(memory_driver(capacity_gib=10, full=True))
    (pool,) = bench.driver.stats()
    assert pool.free_gib == pool.total_gib == 10
    with pytest.raises(DriverError) as caught:
        bench.create_volume(new_id(), 1)
    assert caught.value.code == Reason.no_space


def test_thick_volumes_take_their_size():
    bench = Bench(memory_driver(capacity_gib=4, thin=False))
    volume_id = bench.volume(size_gib=2)
    assert bench.driver.stats()[0].free_gib == 2
    for act in (
        lambda: bench.create_volume(new_id(), 3),
        lambda: bench.extend_volume(volume_id, 5),
        lambda: bench.clone_volume(new_id(), 3, volume_id, in_use=False),
    ):
        with pytest.raises(DriverError) as caught:
            act()
        assert caught.value.code == Reason.no_space
    bench.extend_volume(volume_id, 4)
    assert bench.driver.stats()[0].free_gib == 0
    bench.delete_volume(volume_id)
    assert bench.driver.stats()[0].free_gib == 4


def test_thin_volumes_take_their_data():
    bench = Bench(memory_driver(capacity_gib=MIB / GIB))
    volume_id = bench.volume(size_gib=100)
    with bench.open_writer(volume_id) as writer:
        writer.write(0, bytes(512 * KIB))
        assert bench.driver.stats()[0].free_gib * GIB == 512 * KIB
        with pytest.raises(DriverError) as caught:
            writer.write(256 * KIB, bytes(MIB))
        assert caught.value.code == Reason.no_space
        writer.write(0, b"x" * 512 * KIB)  # what is there can be written over
        writer.write_zeros(0, MIB)
    assert bench.driver.stats()[0].free_gib * GIB == MIB


def test_a_lost_reply_leaves_the_effect():
    bench = Bench(memory_driver())
    volume_id = new_id()
    bench.driver.faults.next("create_volume", Fault.lost_reply())
    with pytest.raises(DriverError):
        bench.create_volume(volume_id, 1)
    assert bench.volume_ids() == {volume_id}
    bench.create_volume(volume_id, 1)  # and asking again finds it done


def test_every_act_can_fail_by_chance_and_none_leaves_a_mess():
    bench = Bench(memory_driver(failure_rate=0.3, lost_reply_rate=0.3, seed=1))

    def insist(act, *args, **kwargs):
        for _ in range(100):
            try:
                return getattr(bench, act)(*args, **kwargs)
            except DriverError:
                continue
        raise AssertionError(f"{act} failed a hundred times")

    for _ in range(20):
        volume_id, snapshot_id, copy_id = new_id(), new_id(), new_id()
        insist("create_volume", volume_id, 1)
        insist("write", volume_id, SOME)
        insist("create_snapshot", snapshot_id, volume_id, in_use=True)
        insist("extend_volume", volume_id, 2)
        insist("write", volume_id, {0: bytes(4096), MIB: A})
        insist("revert_to_snapshot", volume_id, snapshot_id)
        insist("create_volume_from_snapshot", copy_id, 3, snapshot_id, volume_id)
        assert insist("content", copy_id) == insist("content", volume_id) == SOME
        assert bench.volume_ids() == {volume_id, copy_id}
        insist("delete_volume", copy_id)
        insist("delete_snapshot", snapshot_id, volume_id)
        insist("delete_volume", volume_id)
    assert bench.list_volumes() == bench.list_snapshots() == []


def test_looking_never_fails_by_chance():
    driver = memory_driver(failure_rate=1, lost_reply_rate=1)
    driver.check()
    assert driver.stats()
    assert driver.list_volumes(pool="simulated") == []
