"""A process that works on a folder is killed at every line; the next one finds it in order."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from drivers.units import GIB
from tests.contracts.volume_driver import BLOCK, SOME, A, B, Bench, new_id
from tests.drivers.volume.crashes import killed_at_every_line
from tests.drivers.volume.disks import REFLINK_DISKS
from tests.drivers.volume.test_file import file_driver


@pytest.fixture(params=["thin", "thick", *REFLINK_DISKS])
def crash_bench(request, tmp_path, reflink_disks):
    """A bench whose driver starts anew whenever it is asked to, as after a crash."""
    disk = reflink_disks.folder(request.param) if request.param in REFLINK_DISKS else tmp_path
    with TemporaryDirectory(dir=disk) as folder:
        yield CrashBench(lambda: file_driver(Path(folder), thin=request.param != "thick"))


class CrashBench(Bench):
    def __init__(self, start):
        super().__init__(start())
        self.start = start

    def restart(self):
        """As a worker does: a new driver, which checks the folder."""
        self.driver = self.start()
        assert self.drafts() == []

    def drafts(self):
        return list(self.driver.drafts.folder.iterdir())

    def nothing_is_left(self):
        assert self.list_volumes() == []
        assert self.list_snapshots() == []
        assert self.drafts() == []


def test_create(crash_bench):
    bench, volume_id = crash_bench, new_id()
    for line in killed_at_every_line(lambda: bench.create_volume(volume_id, 2)):
        if line % 2:
            bench.restart()
        for stored in bench.list_volumes():
            assert (stored.volume_id, stored.size_gib) == (volume_id, 2)
            assert bench.content(volume_id) == {}
        bench.create_volume(volume_id, 2)
        assert bench.size_gib(volume_id) == 2
        assert bench.drafts() == []
        bench.delete_volume(volume_id)
        bench.nothing_is_left()
    assert line > 30


def test_create_undone(crash_bench):
    bench, volume_id = crash_bench, new_id()
    for _ in killed_at_every_line(lambda: bench.create_volume(volume_id, 1)):
        bench.delete_volume(volume_id)
        bench.nothing_is_left()


def test_delete(crash_bench):
    bench = crash_bench
    volume_id = bench.volume(SOME)
    for _ in killed_at_every_line(lambda: bench.delete_volume(volume_id)):
        if bench.volume_ids():
            assert bench.content(volume_id) == SOME
        bench.delete_volume(volume_id)
        bench.nothing_is_left()
        bench.create_volume(volume_id, 1)
        bench.write(volume_id, SOME)


def test_extend(crash_bench):
    bench = crash_bench
    volume_id = bench.volume(SOME)
    for _ in killed_at_every_line(lambda: bench.extend_volume(volume_id, 2)):
        assert bench.size_gib(volume_id) in (1, 2)
        assert bench.content(volume_id) == SOME
        bench.extend_volume(volume_id, 2)
        assert bench.size_gib(volume_id) == 2
        assert bench.content(volume_id) == SOME
        bench.delete_volume(volume_id)
        bench.create_volume(volume_id, 1)
        bench.write(volume_id, SOME)


def test_snapshot(crash_bench):
    bench, snapshot_id = crash_bench, new_id()
    volume_id = bench.volume(SOME)

    def act():
        bench.create_snapshot(snapshot_id, volume_id, in_use=False)

    for line in killed_at_every_line(act):
        if line % 2:
            bench.restart()
        if bench.snapshot_ids():
            assert bench.content(volume_id, snapshot_id) == SOME
        act()
        assert bench.content(volume_id, snapshot_id) == SOME
        assert bench.drafts() == []
        bench.delete_snapshot(snapshot_id, volume_id)
        assert bench.content(volume_id) == SOME


@pytest.mark.parametrize("way", ["from snapshot", "clone"])
def test_copy(crash_bench, way):
    bench, copy_id = crash_bench, new_id()
    source_id = bench.volume(SOME)
    snapshot_id = bench.snapshot(source_id)

    def act():
        if way == "clone":
            bench.clone_volume(copy_id, 2, source_id, in_use=False)
        else:
            bench.create_volume_from_snapshot(copy_id, 2, snapshot_id, source_id)

    leftovers = 0
    for line in killed_at_every_line(act):
        leftovers += len(bench.drafts())
        if line % 2:
            bench.restart()
        if copy_id in bench.volume_ids():
            assert bench.size_gib(copy_id) == 2
            assert bench.content(copy_id) == SOME
        act()
        assert bench.size_gib(copy_id) == 2
        assert bench.content(copy_id) == SOME
        assert bench.drafts() == []
        bench.delete_volume(copy_id)
    assert leftovers > 20
    assert bench.content(source_id) == bench.content(source_id, snapshot_id) == SOME


def test_revert(crash_bench):
    bench = crash_bench
    volume_id = bench.volume(SOME)
    snapshot_id = bench.snapshot(volume_id)
    bench.extend_volume(volume_id, 2)
    written = {**SOME, 0: B, 2 * GIB - BLOCK: A}
    bench.write(volume_id, written)
    for line in killed_at_every_line(lambda: bench.revert_to_snapshot(volume_id, snapshot_id)):
        if line % 2:
            bench.restart()
        assert bench.content(volume_id) in (SOME, written)
        bench.revert_to_snapshot(volume_id, snapshot_id)
        assert bench.content(volume_id) == SOME
        assert bench.size_gib(volume_id) == 2
        assert bench.drafts() == []
        bench.write(volume_id, written)
    assert bench.content(volume_id, snapshot_id) == SOME


def test_check(crash_bench):
    bench = crash_bench
    volume_id = bench.volume(SOME)
    for _ in killed_at_every_line(bench.start):
        assert bench.content(volume_id) == SOME
        bench.restart()
        assert bench.volume_ids() == {volume_id}
