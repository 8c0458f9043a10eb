import errno
import fcntl
import mmap
import os
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from drivers.errors import DriverError, Reason
from drivers.units import GIB, KIB, MIB
from drivers.volume import sparse
from drivers.volume.file import FileDriver
from tests.contracts.volume_driver import (
    ACTS_WITH_IDS,
    BLOCK,
    SOME,
    A,
    B,
    Bench,
    VolumeDriverContract,
    new_id,
    once,
)
from tests.drivers.volume.disks import lack


def file_driver(folder: Path, **options) -> FileDriver:
    driver = FileDriver(FileDriver.Options(path=folder, **options), name="fast", home=Path("/"))
    driver.check()
    return driver


def allocated_bytes(driver: FileDriver, volume_id: str) -> int:
    return (driver.volumes / volume_id).stat().st_blocks * 512


def drafts_of(driver: FileDriver) -> list[Path]:
    return list(driver.drafts.folder.iterdir())


class TestThinFileDriver(VolumeDriverContract):
    @pytest.fixture
    def driver(self, folder):
        driver = file_driver(folder)
        yield driver
        assert drafts_of(driver) == []

    @pytest.fixture
    def full_driver(self, folder):
        return file_driver(folder, capacity_gib=0.01)


class TestThickFileDriver(VolumeDriverContract):
    @pytest.fixture
    def driver(self, folder):
        driver = file_driver(folder, thin=False)
        yield driver
        assert drafts_of(driver) == []

    @pytest.fixture
    def full_driver(self, folder):
        return file_driver(folder, thin=False, capacity_gib=1.05)


class TestFileDriverThatSharesBlocks(VolumeDriverContract):
    @pytest.fixture
    def driver(self, reflink_folder):
        driver = file_driver(reflink_folder)
        assert driver.capabilities.fast_copies
        yield driver
        assert drafts_of(driver) == []

    @pytest.fixture
    def full_driver(self, reflink_folder):
        return file_driver(reflink_folder, capacity_gib=0.01)

    def test_copies_take_no_space(self, bench):
        source_id = bench.volume({offset: os.urandom(MIB) for offset in range(0, 32 * MIB, MIB)})
        free_before = os.statvfs(bench.driver.path).f_bavail
        for _ in range(20):
            bench.clone_volume(new_id(), 1, source_id, in_use=False)
            bench.snapshot(source_id)
        taken = (free_before - os.statvfs(bench.driver.path).f_bavail) * 4096
        assert taken < 32 * MIB

    def test_a_snapshot_in_use_is_one_moment(self, bench):
        """A writer goes over the volume again and again; no snapshot mixes two of its passes."""
        blocks = 64
        volume_id = bench.volume({0: bytes(blocks * BLOCK)})
        path = bench.export_hints(volume_id)["path"]
        done = threading.Event()
        passes = 0

        def write_passes():
            nonlocal passes
            page = mmap.mmap(-1, BLOCK)  # aligned, as O_DIRECT wants it
            descriptor = os.open(path, os.O_RDWR | os.O_DIRECT)
            while not done.is_set():
                passes += 1
                page[:8] = passes.to_bytes(8, "big")
                for index in range(blocks):
                    os.pwrite(descriptor, page, index * BLOCK)
            os.close(descriptor)

        writer = threading.Thread(target=write_passes)
        writer.start()
        try:
            snapshot_ids = []
            while len(snapshot_ids) < 12 or passes < 12:
                snapshot_ids.append(new_id())
                bench.create_snapshot(snapshot_ids[-1], volume_id, in_use=True)
        finally:
            done.set()
            writer.join()
        for snapshot_id in snapshot_ids:
            with bench.open_reader(volume_id, snapshot_id=snapshot_id) as reader:
                marks = [
                    int.from_bytes(reader.read(index * BLOCK, 8), "big") for index in range(blocks)
                ]
            # Those the pass had reached, then those it had not: one step down at the most.
            assert marks == sorted(marks, reverse=True)
            assert marks[0] - marks[-1] <= 1


@pytest.fixture
def driver(folder):
    return file_driver(folder / "fast")


@pytest.fixture
def bench(driver):
    return Bench(driver)


# The folder


def test_a_relative_path_starts_at_home(tmp_path):
    driver = FileDriver(FileDriver.Options(path=Path("volumes/fast")), name="fast", home=tmp_path)
    driver.check()
    Bench(driver).volume()
    assert len(list((tmp_path / "volumes/fast/volumes").iterdir())) == 1


def test_files_are_for_their_owner_only(bench):
    volume_id = bench.volume()
    assert (bench.driver.volumes / volume_id).stat().st_mode & 0o777 == 0o600
    assert bench.driver.volumes.stat().st_mode & 0o777 == 0o700


def test_other_files_in_the_folder_are_none_of_ours(bench):
    for folder in (bench.driver.volumes, bench.driver.snapshots):
        (folder / "lost+found").mkdir()
        (folder / "notes.txt").write_text("hello")
    assert bench.list_volumes() == []
    assert bench.list_snapshots() == []


@pytest.mark.parametrize("act", ACTS_WITH_IDS)
def test_while_the_folder_is_away_nothing_passes_for_done(bench, act):
    """A delete above all: the volume is not gone, it is out of sight."""
    bench.driver.path.rename(bench.driver.path.with_name("away"))
    with pytest.raises(DriverError) as caught:
        ACTS_WITH_IDS[act](bench, new_id())
    assert caught.value.code == Reason.unavailable
    assert "/" not in caught.value.sentence
    assert not bench.driver.path.exists()


def test_while_the_disk_is_not_mounted_nothing_is_touched(tmp_path):
    driver = FileDriver(
        FileDriver.Options(path=tmp_path, require_mount=True), name="fast", home=Path("/")
    )
    bench = Bench(driver, pool="fast")
    acts = [driver.check, driver.stats, bench.list_volumes, lambda: bench.delete_volume(new_id())]
    for act in acts:
        with pytest.raises(DriverError, match="not mounted") as caught:
            act()
        assert caught.value.code == Reason.unavailable
    assert list(tmp_path.iterdir()) == []


def test_a_mounted_disk_is_used(small_disk):
    Bench(file_driver(small_disk, require_mount=True, min_free_mib=0)).volume()


# Drafts


def test_a_check_leaves_living_drafts_alone(bench):
    """A worker that starts must not disturb a copy that another one is making."""
    source_id, copy_id = bench.volume(SOME), new_id()
    check = once(lambda: file_driver(bench.driver.path))
    bench.clone_volume(copy_id, 1, source_id, in_use=False, on_progress=check)
    assert bench.content(copy_id) == SOME


def test_a_check_clears_dead_drafts_away(bench):
    (bench.driver.drafts.folder / f"{new_id()}.0123456789abcdef").write_bytes(bytes(MIB))
    bench.driver.check()
    assert drafts_of(bench.driver) == []


def test_content_is_durable_before_it_has_a_name(bench, monkeypatch):
    """What a power cut leaves depends on this order, which no kill of a process can show."""
    events = []
    fsync, link, unlink = os.fsync, os.link, os.unlink

    def name_of(descriptor):
        return Path(os.readlink(f"/proc/self/fd/{descriptor}")).parent.name

    def spy_fsync(descriptor):
        is_folder = os.path.isdir(f"/proc/self/fd/{descriptor}")
        events.append("sync folder" if is_folder else f"sync file in {name_of(descriptor)}")
        fsync(descriptor)

    def spy_link(source, target):
        events.append("link")
        link(source, target)

    def spy_unlink(path):
        events.append("unlink")
        unlink(path)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(os, "link", spy_link)
    monkeypatch.setattr(os, "unlink", spy_unlink)
    volume_id = new_id()
    bench.create_volume(volume_id, 1)
    assert events == ["sync file in drafts", "link", "sync folder", "unlink"]
    events.clear()
    bench.create_volume(volume_id, 1)
    assert events == ["sync folder"]  # the call that made it may have died before this
    events.clear()
    bench.extend_volume(volume_id, 2)
    assert events == ["sync file in volumes"]
    events.clear()
    bench.delete_volume(volume_id)
    assert events == ["unlink", "sync folder"]
    events.clear()
    bench.delete_volume(volume_id)
    assert events[-1] == "sync folder"


# Space


def test_thin_volumes_take_the_space_of_their_data(folder):
    bench = Bench(file_driver(folder, capacity_gib=10))
    volume_id = bench.volume(size_gib=4)
    (pool,) = bench.driver.stats()
    assert (pool.total_gib, pool.thin) == (10, True)
    assert pool.free_gib == pytest.approx(10, abs=0.001)
    bench.write(volume_id, {0: os.urandom(64 * MIB)})
    assert bench.driver.stats()[0].free_gib == pytest.approx(10 - 1 / 16, abs=0.001)
    with bench.open_writer(volume_id) as writer:
        writer.write_zeros(0, GIB)
    assert bench.driver.stats()[0].free_gib == pytest.approx(10, abs=0.001)


def test_thick_volumes_take_the_space_of_their_size(folder):
    bench = Bench(file_driver(folder, capacity_gib=10, thin=False))
    volume_id = bench.volume(SOME)
    assert allocated_bytes(bench.driver, volume_id) >= GIB
    bench.extend_volume(volume_id, 2)
    assert allocated_bytes(bench.driver, volume_id) >= 2 * GIB
    with bench.open_writer(volume_id) as writer:
        writer.write_zeros(0, 2 * GIB)
    assert allocated_bytes(bench.driver, volume_id) >= 2 * GIB
    copy_id = new_id()
    bench.clone_volume(copy_id, 3, volume_id, in_use=False)
    assert allocated_bytes(bench.driver, copy_id) >= 3 * GIB
    (pool,) = bench.driver.stats()
    assert pool.thin is False
    assert pool.free_gib == pytest.approx(5, abs=0.01)


def test_thick_volumes_share_no_blocks(reflink_folder):
    assert not file_driver(reflink_folder, thin=False).capabilities.fast_copies


def test_a_copy_has_the_holes_of_its_source(bench):
    source_id, copy_id = bench.volume(SOME), new_id()
    bench.clone_volume(copy_id, 1, source_id, in_use=False)
    assert allocated_bytes(bench.driver, copy_id) <= allocated_bytes(bench.driver, source_id)


def test_below_the_minimum_nothing_is_created_or_grown(folder):
    bench = Bench(file_driver(folder, capacity_gib=1, min_free_mib=512))
    volume_id = bench.volume()
    snapshot_id = bench.snapshot(volume_id)
    bench.driver = file_driver(folder, capacity_gib=1, min_free_mib=1025)
    for act in (
        lambda: bench.create_volume(new_id(), 1),
        lambda: bench.extend_volume(volume_id, 2),
        lambda: bench.create_snapshot(new_id(), volume_id, in_use=False),
        lambda: bench.clone_volume(new_id(), 1, volume_id, in_use=False),
        lambda: bench.create_volume_from_snapshot(new_id(), 1, snapshot_id, volume_id),
    ):
        with pytest.raises(DriverError) as caught:
            act()
        assert caught.value.code == Reason.no_space
        assert "1.00 GiB are free" in caught.value.sentence
    # What is done already, and what frees space, needs none.
    bench.create_volume(volume_id, 1)
    bench.extend_volume(volume_id, 1)
    bench.create_snapshot(snapshot_id, volume_id, in_use=False)
    assert bench.volume_ids() == {volume_id}
    assert bench.size_gib(volume_id) == 1
    bench.delete_snapshot(snapshot_id, volume_id)
    bench.delete_volume(volume_id)


def test_a_thick_extend_without_room_changes_nothing(small_disk, monkeypatch):
    """The reservation itself fails: this disk claims more room than it has."""
    bench = Bench(file_driver(small_disk, thin=False, min_free_mib=0))
    path = bench.driver.volumes / new_id()
    path.write_bytes(A)
    monkeypatch.setattr(bench.driver.space, "require", lambda needed_bytes: None)
    with pytest.raises(DriverError) as caught:
        bench.extend_volume(path.name, 1)
    assert caught.value.code == Reason.no_space
    assert path.read_bytes() == A
    assert allocated_bytes(bench.driver, path.name) < 64 * KIB


def test_a_disk_that_fills_up_during_a_copy_gets_all_of_it_back(small_disk):
    bench = Bench(file_driver(small_disk, min_free_mib=0))
    source_id = bench.volume({0: os.urandom(4 * MIB), 64 * MIB: os.urandom(4 * MIB)})
    filler = small_disk / "filler"

    def fill_up():
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(64 * KIB))

    with pytest.raises(DriverError) as caught:
        bench.clone_volume(new_id(), 1, source_id, in_use=False, on_progress=once(fill_up))
    assert caught.value.code == Reason.no_space
    assert not caught.value.retryable
    assert bench.volume_ids() == {source_id}
    assert drafts_of(bench.driver) == []


def test_a_write_to_a_full_disk_is_refused(small_disk):
    bench = Bench(file_driver(small_disk, min_free_mib=0))
    volume_id = bench.volume()
    with bench.open_writer(volume_id) as writer, pytest.raises(DriverError) as caught:
        writer.write(0, bytes(128 * MIB))
    assert caught.value.code == Reason.no_space


# What the operating system refuses


def test_a_read_only_disk_says_so(small_disk):
    bench = Bench(file_driver(small_disk, min_free_mib=0))
    volume_id = bench.volume(SOME)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for act in (
        lambda: bench.create_volume(new_id(), 1),
        lambda: bench.extend_volume(volume_id, 2),
        lambda: bench.delete_volume(volume_id),
        lambda: bench.open_writer(volume_id),
    ):
        with pytest.raises(DriverError, match="read-only") as caught:
            act()
        assert caught.value.code == Reason.unavailable
    assert bench.content(volume_id) == SOME


def test_a_folder_of_somebody_else_is_refused(bench):
    if os.geteuid() != 0:
        lack("root, to become somebody else")
    volume_id = bench.volume()
    os.seteuid(65534)
    try:
        for act in (
            bench.driver.check,
            bench.driver.stats,
            bench.list_volumes,
            lambda: bench.create_volume(new_id(), 1),
            lambda: bench.delete_volume(volume_id),
        ):
            with pytest.raises(DriverError, match="permissions") as caught:
                act()
            assert caught.value.code == Reason.unavailable
            assert caught.value.detail
    finally:
        os.seteuid(0)
    assert bench.volume_ids() == {volume_id}


@pytest.mark.parametrize(
    ("module", "call", "number", "sentence"),
    [
        (os, "link", errno.EPERM, "hard links"),
        (sparse, "reserve", errno.EOPNOTSUPP, "set thin = true"),
    ],
)
def test_a_file_system_that_lacks_something_is_refused(
    folder, monkeypatch, module, call, number, sentence
):
    def refuse(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module, call, refuse)
    with pytest.raises(DriverError, match=sentence) as caught:
        file_driver(folder, thin=False)
    assert caught.value.code == Reason.unsupported
    assert list((folder / "drafts").iterdir()) == []


def test_a_file_cut_short_is_noticed(bench):
    volume_id = bench.volume(SOME)
    with bench.open_reader(volume_id) as reader:
        os.truncate(bench.driver.volumes / volume_id, MIB)
        with pytest.raises(DriverError) as caught:
            reader.read(MIB - 10, 20)
    assert caught.value.code == Reason.corrupt


def test_a_symbolic_link_is_no_volume(bench, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    volume_id = new_id()
    (bench.driver.volumes / volume_id).symlink_to(secret)
    for act in (bench.open_reader, bench.open_writer, bench.export_hints):
        with pytest.raises(DriverError):
            act(volume_id)


def test_an_extend_that_meets_another_is_told_to_come_again(bench):
    volume_id = bench.volume(SOME)
    with (bench.driver.volumes / volume_id).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(DriverError) as caught:
            bench.extend_volume(volume_id, 2)
    assert caught.value.code == Reason.busy
    assert caught.value.retryable
    assert bench.size_gib(volume_id) == 1
    bench.extend_volume(volume_id, 2)
    assert bench.size_gib(volume_id) == 2


def test_export_hints_lead_to_the_file(bench):
    volume_id = bench.volume({0: B})
    hints = bench.export_hints(volume_id)
    assert hints["kind"] == "file"
    assert hints["format"] == "raw"
    with Path(hints["path"]).open("rb") as file:
        assert file.read(BLOCK) == B
