"""The simulator behaves as the real thing: whatever is done to both, both answer the same."""

import tempfile
from pathlib import Path
from uuid import UUID

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from drivers.errors import DriverError
from drivers.units import GIB, MIB
from tests.contracts.volume_driver import BLOCK, Bench
from tests.drivers.volume.test_file import file_driver
from tests.drivers.volume.test_memory import memory_driver

# Few ids, so that acts meet what earlier acts left.
ids = st.integers(min_value=1, max_value=3).map(lambda number: str(UUID(int=number)))
sizes = st.integers(min_value=0, max_value=3)
offsets = st.sampled_from([0, BLOCK, 5 * MIB, GIB - BLOCK, GIB, 2 * GIB, 3 * GIB - BLOCK])


class Both(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.benches = [
            Bench(file_driver(Path(self.folder.name), min_free_mib=0)),
            Bench(memory_driver()),
        ]

    def teardown(self):
        self.folder.cleanup()

    def both(self, act, *args, **kwargs):
        answers = []
        for bench in self.benches:
            try:
                answers.append(getattr(bench, act)(*args, **kwargs))
            except DriverError as error:
                answers.append((error.code, error.retryable, error.sentence))
        assert answers[0] == answers[1]

    @rule(volume_id=ids, size_gib=sizes)
    def create(self, volume_id, size_gib):
        self.both("create_volume", volume_id, size_gib)

    @rule(volume_id=ids)
    def delete(self, volume_id):
        self.both("delete_volume", volume_id)

    @rule(volume_id=ids, size_gib=sizes)
    def extend(self, volume_id, size_gib):
        self.both("extend_volume", volume_id, size_gib)

    @rule(snapshot_id=ids, volume_id=ids)
    def snapshot(self, snapshot_id, volume_id):
        self.both("create_snapshot", snapshot_id, volume_id, in_use=False)

    @rule(snapshot_id=ids, volume_id=ids)
    def delete_snapshot(self, snapshot_id, volume_id):
        self.both("delete_snapshot", snapshot_id, volume_id)

    @rule(volume_id=ids, size_gib=sizes, snapshot_id=ids, source_id=ids)
    def from_snapshot(self, volume_id, size_gib, snapshot_id, source_id):
        self.both("create_volume_from_snapshot", volume_id, size_gib, snapshot_id, source_id)

    @rule(volume_id=ids, size_gib=sizes, source_id=ids)
    def clone(self, volume_id, size_gib, source_id):
        self.both("clone_volume", volume_id, size_gib, source_id, in_use=False)

    @rule(volume_id=ids, snapshot_id=ids)
    def revert(self, volume_id, snapshot_id):
        self.both("revert_to_snapshot", volume_id, snapshot_id)

    @rule(volume_id=ids, offset=offsets, byte=st.integers(min_value=1, max_value=255))
    def write(self, volume_id, offset, byte):
        self.both("write", volume_id, {offset: bytes([byte]) * BLOCK})

    @rule(volume_id=ids, offset=offsets)
    def write_zeros(self, volume_id, offset):
        self.both("write_zeros", volume_id, offset, BLOCK)

    @rule(volume_id=ids, snapshot_id=st.none() | ids)
    def read(self, volume_id, snapshot_id):
        self.both("content", volume_id, snapshot_id)
        self.both("size_gib", volume_id, snapshot_id)

    @invariant()
    def both_hold_the_same(self):
        file, memory = self.benches
        assert sorted(file.list_volumes()) == sorted(memory.list_volumes())
        assert sorted(file.list_snapshots()) == sorted(memory.list_snapshots())


TestBoth = Both.TestCase
TestBoth.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
