"""The promises of `drivers.volume.base`, as tests. See docs/drivers.md for how to run them.

A driver's test module subclasses `VolumeDriverContract` and supplies two fixtures.
"""

import json
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from drivers.errors import DriverError, Reason
from drivers.units import GIB, KIB, MIB
from drivers.volume.base import Extent, Progress, VolumeDriver, VolumeReader

BLOCK = 4 * KIB
ZEROS = bytes(MIB)


def new_id() -> str:
    return str(uuid4())


def content_of(reader: VolumeReader) -> dict[int, bytes]:
    """The blocks of a volume that are not all zeros, by offset."""
    blocks = {}
    for extent in reader.data_extents():
        start = extent.offset - extent.offset % BLOCK
        for offset in range(start, extent.end, MIB):
            piece = reader.read(offset, min(MIB, reader.size_bytes - offset))
            if piece == ZEROS[: len(piece)]:
                continue  # most of what is thick
            for at in range(0, len(piece), BLOCK):
                if any(piece[at : at + BLOCK]):
                    blocks[offset + at] = piece[at : at + BLOCK]
    return blocks


class StopRequestedError(Exception):
    """Raised by an `on_progress` that wants the call to end."""


def stop(done_bytes: int, total_bytes: int) -> None:
    raise StopRequestedError


def once(act: Callable[[], None]) -> Progress:
    """An `on_progress` that does something the first time it is called."""
    todo = [act]

    def on_progress(done_bytes: int, total_bytes: int) -> None:
        if todo:
            todo.pop()()

    return on_progress


def insist(act: Callable[[], None]) -> None:
    """Call until it succeeds; an error that is not worth a retry fails the test."""
    while True:
        try:
            return act()
        except DriverError as error:
            if not error.retryable:
                raise


class Bench:
    """A driver with its pool filled in, and shorthands for content."""

    def __init__(self, driver: VolumeDriver, pool: str | None = None) -> None:
        self.driver = driver
        self.pool = pool or driver.stats()[0].name

    def __getattr__(self, act: str) -> Callable:
        method = getattr(self.driver, act)
        return lambda *args, **kwargs: method(*args, pool=self.pool, **kwargs)

    def volume(self, blocks: dict[int, bytes] | None = None, size_gib: int = 1) -> str:
        """Make a volume that holds these blocks, and return its id."""
        volume_id = new_id()
        self.create_volume(volume_id, size_gib)
        self.write(volume_id, blocks or {})
        return volume_id

    def snapshot(self, volume_id: str) -> str:
        snapshot_id = new_id()
        self.create_snapshot(snapshot_id, volume_id, in_use=False)
        return snapshot_id

    def write(self, volume_id: str, blocks: dict[int, bytes]) -> None:
        with self.open_writer(volume_id) as writer:
            for offset, data in blocks.items():
                writer.write(offset, data)
            writer.flush()

    def write_zeros(self, volume_id: str, offset: int, length: int) -> None:
        with self.open_writer(volume_id) as writer:
            writer.write_zeros(offset, length)
            writer.flush()

    def content(self, volume_id: str, snapshot_id: str | None = None) -> dict[int, bytes]:
        with self.open_reader(volume_id, snapshot_id=snapshot_id) as reader:
            return content_of(reader)

    def size_gib(self, volume_id: str, snapshot_id: str | None = None) -> float:
        with self.open_reader(volume_id, snapshot_id=snapshot_id) as reader:
            return reader.size_bytes / GIB

    def volume_ids(self) -> set[str]:
        return {each.volume_id for each in self.list_volumes()}

    def snapshot_ids(self) -> set[str]:
        return {each.snapshot_id for each in self.list_snapshots()}


A = bytes([0xA5]) * BLOCK
B = bytes([0x5A]) * BLOCK
SOME = {0: A, 300 * MIB: B, GIB - BLOCK: A}

BAD_IDS = [
    "",
    "*",
    "../volumes/8c9f1d3e-2a4b-4c5d-8e6f-7a8b9c0d1e2f",
    "8c9f1d3e2a4b4c5d8e6f7a8b9c0d1e2f",
    "8C9F1D3E-2A4B-4C5D-8E6F-7A8B9C0D1E2F",
    "{8c9f1d3e-2a4b-4c5d-8e6f-7a8b9c0d1e2f}",
    "8c9f1d3e-2a4b-4c5d-8e6f-7a8b9c0d1e2f\n",
]

# Every act that is told an id, with the ids of things that need not exist.
ACTS_WITH_IDS = {
    "create_volume": lambda bench, id_: bench.create_volume(id_, 1),
    "delete_volume": lambda bench, id_: bench.delete_volume(id_),
    "extend_volume": lambda bench, id_: bench.extend_volume(id_, 2),
    "create_snapshot": lambda bench, id_: bench.create_snapshot(id_, new_id(), in_use=False),
    "create_snapshot of": lambda bench, id_: bench.create_snapshot(new_id(), id_, in_use=False),
    "delete_snapshot": lambda bench, id_: bench.delete_snapshot(id_, new_id()),
    "delete_snapshot of": lambda bench, id_: bench.delete_snapshot(new_id(), id_),
    "create_volume_from_snapshot": lambda bench, id_: bench.create_volume_from_snapshot(
        id_, 1, new_id(), new_id()
    ),
    "create_volume_from_snapshot of": lambda bench, id_: bench.create_volume_from_snapshot(
        new_id(), 1, id_, new_id()
    ),
    "clone_volume": lambda bench, id_: bench.clone_volume(id_, 1, new_id(), in_use=False),
    "clone_volume of": lambda bench, id_: bench.clone_volume(new_id(), 1, id_, in_use=False),
    "revert_to_snapshot": lambda bench, id_: bench.revert_to_snapshot(id_, new_id()),
    "revert_to_snapshot to": lambda bench, id_: bench.revert_to_snapshot(new_id(), id_),
    "open_reader": lambda bench, id_: bench.open_reader(id_),
    "open_reader of": lambda bench, id_: bench.open_reader(new_id(), snapshot_id=id_),
    "open_writer": lambda bench, id_: bench.open_writer(id_),
    "changed_extents": lambda bench, id_: bench.changed_extents(id_, new_id(), None),
    "changed_extents since": lambda bench, id_: bench.changed_extents(new_id(), id_, None),
    "export_hints": lambda bench, id_: bench.export_hints(id_),
}

# Those that need what the id names to be there, and say so.
ACTS_THAT_NEED_A_SOURCE = [
    "extend_volume",
    "create_snapshot of",
    "create_volume_from_snapshot of",
    "clone_volume of",
    "revert_to_snapshot",
    "open_reader",
    "open_reader of",
    "open_writer",
    "changed_extents",
    "export_hints",
]


class VolumeDriverContract:
    """Supply `driver`, checked and with room for a few GiB, and `full_driver`, without room."""

    @pytest.fixture
    def driver(self) -> VolumeDriver:
        raise NotImplementedError

    @pytest.fixture
    def full_driver(self) -> VolumeDriver:
        raise NotImplementedError

    @pytest.fixture
    def bench(self, driver: VolumeDriver) -> Bench:
        return Bench(driver)

    # The backend

    def test_stats_describe_every_pool(self, driver):
        (pool,) = driver.stats()
        assert pool.name
        assert 0 <= pool.free_gib <= pool.total_gib
        assert pool.total_gib > 0
        assert pool.thin == driver.capabilities.thin_provisioning
        assert pool.capabilities["thin_provisioning_support"] is pool.thin
        json.dumps(pool.capabilities)

    def test_a_second_check_keeps_everything(self, bench):
        volume_id = bench.volume(SOME)
        snapshot_id = bench.snapshot(volume_id)
        bench.driver.check()
        assert bench.content(volume_id) == bench.content(volume_id, snapshot_id) == SOME

    @pytest.mark.parametrize("act", ACTS_WITH_IDS)
    def test_an_id_that_is_no_uuid_is_refused(self, bench, act):
        for bad_id in BAD_IDS:
            with pytest.raises(DriverError) as caught:
                ACTS_WITH_IDS[act](bench, bad_id)
            assert caught.value.code == Reason.invalid
            assert not caught.value.retryable

    @pytest.mark.parametrize("act", ACTS_WITH_IDS)
    def test_an_unknown_pool_is_refused(self, bench, act):
        bench.pool = "no such pool"
        with pytest.raises(DriverError) as caught:
            ACTS_WITH_IDS[act](bench, new_id())
        assert caught.value.code == Reason.invalid

    @pytest.mark.parametrize("act", ACTS_THAT_NEED_A_SOURCE)
    def test_what_is_not_there_is_said_to_be_missing(self, bench, act):
        with pytest.raises(DriverError) as caught:
            ACTS_WITH_IDS[act](bench, new_id())
        assert caught.value.code == Reason.not_found
        assert not caught.value.retryable
        assert bench.list_volumes() == []
        assert bench.list_snapshots() == []

    def test_sentences_are_fit_for_users(self, bench):
        missing = new_id()
        with pytest.raises(DriverError) as caught:
            bench.open_reader(missing)
        sentence = caught.value.sentence
        assert sentence == str(caught.value)
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert "/" not in sentence

    # Create

    def test_a_new_volume_reads_as_zeros(self, bench):
        volume_id = bench.volume(size_gib=2)
        assert bench.size_gib(volume_id) == 2
        assert bench.content(volume_id) == {}
        with bench.open_reader(volume_id) as reader:
            assert reader.read(2 * GIB - MIB, MIB) == bytes(MIB)

    def test_creating_again_changes_nothing(self, bench):
        volume_id = bench.volume(SOME)
        bench.create_volume(volume_id, 1)
        assert bench.content(volume_id) == SOME
        bench.extend_volume(volume_id, 2)
        bench.create_volume(volume_id, 1)
        assert bench.content(volume_id) == SOME
        assert bench.size_gib(volume_id) == 2

    @pytest.mark.parametrize("size_gib", [0, -1])
    def test_a_volume_has_a_size(self, bench, size_gib):
        for act in (bench.create_volume, bench.extend_volume):
            with pytest.raises(DriverError) as caught:
                act(new_id(), size_gib)
            assert caught.value.code == Reason.invalid

    def test_volumes_are_listed(self, bench):
        assert bench.list_volumes() == []
        one, two = bench.volume(size_gib=1), bench.volume(size_gib=2)
        bench.snapshot(one)
        assert {(each.volume_id, each.size_gib) for each in bench.list_volumes()} == {
            (one, 1),
            (two, 2),
        }

    def test_threads_that_create_the_same_volume_make_one(self, bench):
        volume_id = new_id()
        start = threading.Barrier(8)

        def create(_):
            start.wait()
            insist(lambda: bench.create_volume(volume_id, 1))

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(create, range(8)))
        assert [each.volume_id for each in bench.list_volumes()] == [volume_id]
        assert bench.content(volume_id) == {}

    def test_threads_that_work_on_different_volumes_do_not_meet(self, bench):
        def live(_):
            volume_id = bench.volume({0: A})
            snapshot_id = bench.snapshot(volume_id)
            bench.write(volume_id, {0: B})
            bench.revert_to_snapshot(volume_id, snapshot_id)
            assert bench.content(volume_id) == {0: A}
            bench.delete_snapshot(snapshot_id, volume_id)
            bench.delete_volume(volume_id)

        with ThreadPoolExecutor(3) as threads:  # no more: a driver that is not thin needs GiBs
            list(threads.map(live, range(12)))
        assert bench.list_volumes() == []
        assert bench.list_snapshots() == []

    # Delete

    def test_deleted_is_gone(self, bench):
        gone, kept = bench.volume(SOME), bench.volume(SOME)
        bench.delete_volume(gone)
        assert bench.volume_ids() == {kept}
        assert bench.content(kept) == SOME
        with pytest.raises(DriverError):
            bench.open_reader(gone)

    def test_deleting_what_is_not_there_is_done(self, bench):
        volume_id = bench.volume()
        snapshot_id = bench.snapshot(volume_id)
        for _ in range(2):
            bench.delete_snapshot(snapshot_id, volume_id)
            bench.delete_volume(volume_id)
        bench.delete_volume(new_id())
        bench.delete_snapshot(new_id(), new_id())

    # Extend

    def test_extending_keeps_the_content_and_adds_zeros(self, bench):
        volume_id = bench.volume(SOME)
        bench.extend_volume(volume_id, 3)
        assert bench.size_gib(volume_id) == 3
        assert bench.content(volume_id) == SOME
        bench.write(volume_id, {3 * GIB - BLOCK: B})
        assert bench.content(volume_id) == {**SOME, 3 * GIB - BLOCK: B}

    @pytest.mark.parametrize("size_gib", [1, 2])
    def test_extending_never_shrinks(self, bench, size_gib):
        volume_id = bench.volume({0: A, 2 * GIB - BLOCK: B}, size_gib=2)
        bench.extend_volume(volume_id, size_gib)
        assert bench.size_gib(volume_id) == 2
        assert bench.content(volume_id) == {0: A, 2 * GIB - BLOCK: B}

    def test_of_threads_that_extend_the_largest_wins(self, bench):
        volume_id = bench.volume({0: A})

        def extend(size_gib):
            insist(lambda: bench.extend_volume(volume_id, size_gib))

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(extend, [2, 4, 3, 2, 4, 3]))
        assert bench.size_gib(volume_id) == 4
        assert bench.content(volume_id) == {0: A}

    # Snapshots

    def test_a_snapshot_keeps_the_moment(self, bench):
        volume_id = bench.volume(SOME)
        snapshot_id = bench.snapshot(volume_id)
        bench.write(volume_id, {0: B, 8 * MIB: B})
        bench.extend_volume(volume_id, 2)
        assert bench.content(volume_id, snapshot_id) == SOME
        assert bench.size_gib(volume_id, snapshot_id) == 1
        assert bench.content(volume_id) == {**SOME, 0: B, 8 * MIB: B}

    def test_snapshotting_again_keeps_the_first_moment(self, bench):
        volume_id = bench.volume(SOME)
        snapshot_id = bench.snapshot(volume_id)
        bench.write(volume_id, {0: B})
        bench.create_snapshot(snapshot_id, volume_id, in_use=False)
        assert bench.content(volume_id, snapshot_id) == SOME

    def test_snapshots_are_listed_with_their_volume(self, bench):
        one, two = bench.volume(), bench.volume(size_gib=2)
        snapshots = {(bench.snapshot(one), one, 1), (bench.snapshot(two), two, 2)}
        listed = {(each.snapshot_id, each.volume_id, each.size_gib)
                  for each in bench.list_snapshots()}  # fmt: skip
        assert listed == snapshots

    def test_snapshots_go_one_by_one(self, bench):
        volume_id = bench.volume(SOME)
        first = bench.snapshot(volume_id)
        bench.write(volume_id, {0: B})
        second = bench.snapshot(volume_id)
        bench.delete_snapshot(first, volume_id)
        assert bench.snapshot_ids() == {second}
        assert bench.content(volume_id, second) == bench.content(volume_id) == {**SOME, 0: B}

    def test_a_volume_in_use_is_snapshotted_or_refused(self, bench):
        volume_id, snapshot_id, clone_id = bench.volume(SOME), new_id(), new_id()
        if bench.driver.capabilities.snapshots_in_use:
            bench.create_snapshot(snapshot_id, volume_id, in_use=True)
            bench.clone_volume(clone_id, 1, volume_id, in_use=True)
            assert bench.content(volume_id, snapshot_id) == bench.content(clone_id) == SOME
            return
        for act in (
            lambda: bench.create_snapshot(snapshot_id, volume_id, in_use=True),
            lambda: bench.clone_volume(clone_id, 1, volume_id, in_use=True),
        ):
            with pytest.raises(DriverError) as caught:
                act()
            assert caught.value.code == Reason.unsupported
        assert bench.volume_ids() == {volume_id}
        assert bench.snapshot_ids() == set()

    # Copies

    @pytest.fixture(params=["from snapshot", "clone"])
    def copy(self, request, bench):
        """A way to copy a volume: `copy(volume_id, size_gib, source_id, **more)`."""
        if request.param == "clone":
            return lambda volume_id, size_gib, source_id, **more: bench.clone_volume(
                volume_id, size_gib, source_id, in_use=False, **more
            )
        snapshots = {}

        def from_snapshot(volume_id, size_gib, source_id, **more):
            if source_id not in snapshots:
                snapshots[source_id] = bench.snapshot(source_id)
            bench.create_volume_from_snapshot(
                volume_id, size_gib, snapshots[source_id], source_id, **more
            )

        return from_snapshot

    def test_a_copy_has_the_content_of_its_source(self, bench, copy):
        source_id, copy_id = bench.volume(SOME), new_id()
        copy(copy_id, 1, source_id)
        assert bench.size_gib(copy_id) == 1
        assert bench.content(copy_id) == SOME

    def test_a_copy_may_be_larger_than_its_source(self, bench, copy):
        source_id, copy_id = bench.volume(SOME), new_id()
        copy(copy_id, 3, source_id)
        assert bench.size_gib(copy_id) == 3
        assert bench.content(copy_id) == SOME

    def test_a_copy_is_never_smaller_than_its_source(self, bench, copy):
        source_id, copy_id = bench.volume(size_gib=2), new_id()
        with pytest.raises(DriverError) as caught:
            copy(copy_id, 1, source_id)
        assert caught.value.code == Reason.invalid
        assert bench.volume_ids() == {source_id}

    def test_copying_again_changes_nothing(self, bench, copy):
        source_id, copy_id = bench.volume(SOME), new_id()
        copy(copy_id, 1, source_id)
        bench.write(copy_id, {0: B})
        copy(copy_id, 1, source_id)
        assert bench.content(copy_id) == {**SOME, 0: B}

    def test_a_copy_that_is_made_needs_no_source_any_more(self, bench, copy):
        source_id, copy_id = bench.volume(SOME), new_id()
        copy(copy_id, 1, source_id)
        for snapshot_id in bench.snapshot_ids():
            bench.delete_snapshot(snapshot_id, source_id)
        bench.delete_volume(source_id)
        assert bench.content(copy_id) == SOME

    def test_a_copy_and_its_source_go_separate_ways(self, bench, copy):
        source_id, copy_id = bench.volume(SOME), new_id()
        copy(copy_id, 1, source_id)
        bench.write(source_id, {0: B})
        bench.write(copy_id, {16 * MIB: B})
        assert bench.content(source_id) == {**SOME, 0: B}
        assert bench.content(copy_id) == {**SOME, 16 * MIB: B}

    def test_a_copy_that_is_stopped_leaves_nothing(self, bench, copy):
        source_id, copy_id = bench.volume(SOME), new_id()
        with pytest.raises(StopRequestedError):
            copy(copy_id, 1, source_id, on_progress=stop)
        assert bench.volume_ids() == {source_id}
        copy(copy_id, 1, source_id)
        assert bench.content(copy_id) == SOME

    def test_a_snapshot_that_is_stopped_leaves_nothing(self, bench):
        volume_id, snapshot_id = bench.volume(SOME), new_id()
        with pytest.raises(StopRequestedError):
            bench.create_snapshot(snapshot_id, volume_id, in_use=False, on_progress=stop)
        assert bench.snapshot_ids() == set()
        bench.create_snapshot(snapshot_id, volume_id, in_use=False)
        assert bench.content(volume_id, snapshot_id) == SOME

    def test_progress_grows_and_ends_at_the_total(self, bench, copy):
        told = []
        source_id = bench.volume(SOME)
        copy(new_id(), 2, source_id, on_progress=lambda *step: told.append(step))
        done = [done_bytes for done_bytes, _ in told]
        assert done == sorted(done)
        assert told[-1] == (2 * GIB, 2 * GIB)

    # Calls that overtake each other: a worker taken for dead may still be at work

    def test_a_slow_copy_never_overwrites_a_newer_one(self, bench, copy):
        source_id, copy_id = bench.volume(SOME), new_id()

        def newer_call() -> None:
            copy(copy_id, 1, source_id)
            bench.write(copy_id, {0: B})

        with pytest.raises(DriverError) as caught:
            copy(copy_id, 1, source_id, on_progress=once(newer_call))
        assert caught.value.code == Reason.busy
        assert caught.value.retryable
        copy(copy_id, 1, source_id)
        assert bench.content(copy_id) == {**SOME, 0: B}

    def test_a_slow_copy_never_brings_back_what_was_deleted(self, bench, copy):
        source_id, copy_id = bench.volume(SOME), new_id()
        delete = once(lambda: bench.delete_volume(copy_id))
        with pytest.raises(DriverError) as caught:
            copy(copy_id, 1, source_id, on_progress=delete)
        assert caught.value.code == Reason.busy
        assert bench.volume_ids() == {source_id}

    def test_a_slow_snapshot_never_brings_back_what_was_deleted(self, bench):
        volume_id, snapshot_id = bench.volume(SOME), new_id()
        delete = once(lambda: bench.delete_snapshot(snapshot_id, volume_id))
        with pytest.raises(DriverError) as caught:
            bench.create_snapshot(snapshot_id, volume_id, in_use=False, on_progress=delete)
        assert caught.value.code == Reason.busy
        assert bench.snapshot_ids() == set()

    def test_a_slow_revert_never_undoes_what_was_written_since(self, bench):
        volume_id = bench.volume(SOME)
        snapshot_id = bench.snapshot(volume_id)

        def newer_call() -> None:
            bench.revert_to_snapshot(volume_id, snapshot_id)
            bench.write(volume_id, {0: B})

        with pytest.raises(DriverError) as caught:
            bench.revert_to_snapshot(volume_id, snapshot_id, on_progress=once(newer_call))
        assert caught.value.code == Reason.busy
        assert bench.content(volume_id) == {**SOME, 0: B}

    # Revert

    def test_reverting_brings_the_content_back(self, bench):
        volume_id = bench.volume(SOME)
        snapshot_id = bench.snapshot(volume_id)
        for _ in range(2):
            bench.write(volume_id, {0: B, 16 * MIB: B})
            bench.revert_to_snapshot(volume_id, snapshot_id)
            assert bench.content(volume_id) == SOME
        assert bench.content(volume_id, snapshot_id) == SOME

    def test_reverting_keeps_the_size_and_zeros_what_was_added(self, bench):
        volume_id = bench.volume(SOME)
        snapshot_id = bench.snapshot(volume_id)
        bench.extend_volume(volume_id, 2)
        bench.write(volume_id, {2 * GIB - BLOCK: B})
        bench.revert_to_snapshot(volume_id, snapshot_id)
        assert bench.size_gib(volume_id) == 2
        assert bench.content(volume_id) == SOME

    def test_a_revert_that_is_stopped_changes_nothing(self, bench):
        volume_id = bench.volume(SOME)
        snapshot_id = bench.snapshot(volume_id)
        bench.write(volume_id, {0: B})
        with pytest.raises(StopRequestedError):
            bench.revert_to_snapshot(volume_id, snapshot_id, on_progress=stop)
        assert bench.content(volume_id) == {**SOME, 0: B}

    # Content

    def test_a_reader_fills_a_buffer(self, bench):
        volume_id = bench.volume({BLOCK: A})
        with bench.open_reader(volume_id) as reader:
            buffer = bytearray(b"x" * 4 * BLOCK)
            reader.read_into(memoryview(buffer)[BLOCK : 3 * BLOCK], BLOCK // 2)
        expected = bytes(BLOCK // 2) + A + bytes(BLOCK // 2)
        assert buffer == b"x" * BLOCK + expected + b"x" * BLOCK

    def test_between_data_extents_there_are_zeros(self, bench):
        volume_id = bench.volume(SOME)
        with bench.open_reader(volume_id) as reader:
            position, holes = 0, []
            for extent in [*reader.data_extents(), Extent(reader.size_bytes, 0)]:
                assert extent.offset >= position
                holes.append(Extent(position, extent.offset - position))
                position = extent.end
            assert position == reader.size_bytes
            for hole in holes:
                for offset in {hole.offset, max(hole.offset, hole.end - MIB)}:
                    length = min(MIB, hole.end - offset)
                    assert reader.read(offset, length) == bytes(length)
            for offset in SOME:
                assert not any(hole.offset <= offset < hole.end for hole in holes)

    @pytest.mark.parametrize(
        ("offset", "length"), [(GIB, 1), (GIB - 1, 2), (-1, 1), (0, -1), (2 * GIB, 0)]
    )
    def test_a_volume_ends_where_it_ends(self, bench, offset, length):
        volume_id = bench.volume()
        with bench.open_writer(volume_id) as writer:
            acts = [
                lambda: writer.read(offset, length),
                lambda: writer.write_zeros(offset, length),
            ]
            if length >= 0:
                acts += [
                    lambda: writer.write(offset, bytes(length)),
                    lambda: writer.read_into(bytearray(length), offset),
                ]
            for act in acts:
                with pytest.raises(DriverError) as caught:
                    act()
                assert caught.value.code == Reason.invalid
        assert bench.size_gib(volume_id) == 1

    def test_a_writer_writes_anywhere(self, bench):
        volume_id = bench.volume()
        rng = random.Random(7)
        mirror = bytearray(MIB)
        with bench.open_writer(volume_id) as writer:
            for _ in range(200):
                offset = rng.randrange(MIB - 70_000)
                length = rng.choice([1, 511, 512, 4096, 5000, 65_536])
                if rng.random() < 0.3:
                    writer.write_zeros(offset, length)
                    mirror[offset : offset + length] = bytes(length)
                else:
                    data = rng.randbytes(length)
                    writer.write(offset, data)
                    mirror[offset : offset + length] = data
            writer.flush()
            assert writer.read(0, MIB) == mirror
        with bench.open_reader(volume_id) as reader:
            assert reader.read(0, MIB) == mirror
            assert reader.read(MIB, MIB) == bytes(MIB)

    def test_zeros_can_be_written_over_a_whole_volume(self, bench):
        volume_id = bench.volume(SOME)
        with bench.open_writer(volume_id) as writer:
            writer.write_zeros(0, GIB)
            writer.write_zeros(0, 0)
            writer.flush()
        assert bench.content(volume_id) == {}
        assert bench.size_gib(volume_id) == 1

    def test_threads_share_a_reader(self, bench):
        blocks = {index * MIB: index.to_bytes(2, "big") * (BLOCK // 2) for index in range(1, 65)}
        volume_id = bench.volume(blocks)
        with bench.open_reader(volume_id) as reader, ThreadPoolExecutor(8) as threads:
            read = threads.map(lambda offset: reader.read(offset, BLOCK), list(blocks) * 4)
            assert list(read) == list(blocks.values()) * 4

    def test_closing_twice_is_fine(self, bench):
        volume_id = bench.volume()
        for content in (bench.open_reader(volume_id), bench.open_writer(volume_id)):
            content.close()
            content.close()

    # Changed extents

    def test_changed_extents_miss_nothing(self, bench):
        rng = random.Random(11)
        volume_id = bench.volume({index * 64 * KIB: rng.randbytes(BLOCK) for index in range(64)})
        older = bench.snapshot(volume_id)
        for round_ in range(12):
            with bench.open_writer(volume_id) as writer:
                for _ in range(rng.randrange(1, 12)):
                    offset = rng.randrange(4 * MIB)
                    if rng.random() < 0.4:
                        writer.write_zeros(offset, rng.choice([BLOCK, 100, 100_000]))
                    else:
                        writer.write(offset, rng.randbytes(rng.choice([1, BLOCK, 70_000])))
                writer.flush()
            newer = bench.snapshot(volume_id)
            for which in (newer, None):
                changes = bench.changed_extents(volume_id, older, which)
                if not bench.driver.capabilities.changed_extents:
                    assert changes is None
                    continue
                assert changes == sorted(changes)
                before, after = bench.content(volume_id, older), bench.content(volume_id, newer)
                for offset in before.keys() | after.keys():
                    if before.get(offset) != after.get(offset):
                        assert any(e.offset < offset + BLOCK and offset < e.end for e in changes)
                # Of a volume of 1 GiB only the first few MiB were ever touched.
                assert sum(each.length for each in changes) < 32 * MIB
            if round_ % 3 == 2:
                bench.delete_snapshot(older, volume_id)
                older = newer

    def test_what_an_extended_volume_got_is_no_change_until_written(self, bench):
        volume_id = bench.volume(SOME)
        older = bench.snapshot(volume_id)
        bench.extend_volume(volume_id, 2)
        changes = bench.changed_extents(volume_id, older, None)
        if not bench.driver.capabilities.changed_extents:
            assert changes is None
            return
        assert changes == []
        bench.write(volume_id, {2 * GIB - BLOCK: A})
        (change,) = bench.changed_extents(volume_id, older, bench.snapshot(volume_id))
        assert change.offset <= 2 * GIB - BLOCK
        assert change.end == 2 * GIB

    def test_without_the_older_snapshot_nobody_can_tell(self, bench):
        volume_id = bench.volume(SOME)
        older, newer = bench.snapshot(volume_id), bench.snapshot(volume_id)
        bench.delete_snapshot(older, volume_id)
        assert bench.changed_extents(volume_id, older, newer) is None
        with pytest.raises(DriverError) as caught:
            bench.changed_extents(volume_id, newer, older)
        assert caught.value.code == Reason.not_found

    # Export

    def test_export_hints_say_of_what_kind_the_volume_is(self, bench):
        hints = bench.export_hints(bench.volume())
        assert isinstance(hints["kind"], str)
        json.dumps(hints)

    # Without room

    def test_a_full_backend_says_so_and_keeps_nothing(self, full_driver):
        bench = Bench(full_driver)
        volume_id = new_id()
        with pytest.raises(DriverError) as caught:
            bench.create_volume(volume_id, 1)
        assert caught.value.code == Reason.no_space
        assert not caught.value.retryable
        assert bench.list_volumes() == []
        bench.delete_volume(volume_id)
