import os
import tempfile

import pytest

from drivers.page_cache import drop
from drivers.units import KIB, MIB
from drivers.volume import sparse
from drivers.volume.base import Extent, ignore_progress

DATA = os.urandom(64 * KIB)


@pytest.fixture
def source(tmp_path):
    """A file of 80 MiB with data at its beginning, in its middle and at its end."""
    with (tmp_path / "source").open("w+b") as file:
        for offset in (0, 40 * MIB, 80 * MIB - len(DATA)):
            os.pwrite(file.fileno(), DATA, offset)
        yield file.fileno()


@pytest.fixture(params=["same file system", "another"])
def target(request, tmp_path):
    """An empty file; the kernel cannot copy to another kind of file system by itself."""
    folder = tmp_path if request.param == "same file system" else "/dev/shm"
    with tempfile.TemporaryFile(dir=folder) as file:
        yield file.fileno()


def test_data_is_told_from_holes(source):
    assert list(sparse.data_extents(source, 80 * MIB)) == [
        Extent(0, len(DATA)),
        Extent(40 * MIB, len(DATA)),
        Extent(80 * MIB - len(DATA), len(DATA)),
    ]
    assert list(sparse.data_extents(source, 40 * MIB + 4096))[-1] == Extent(40 * MIB, 4096)


def test_a_file_of_holes_has_no_data(target):
    os.ftruncate(target, 10 * MIB)
    assert list(sparse.data_extents(target, 10 * MIB)) == []
    assert list(sparse.data_extents(target, 0)) == []


def test_a_copy_has_the_same_data_and_holes(source, target):
    told = []
    sparse.copy_data(source, target, lambda *step: told.append(step))
    assert os.pread(target, 80 * MIB, 0) == os.pread(source, 80 * MIB, 0)
    assert os.fstat(target).st_blocks <= os.fstat(source).st_blocks
    assert {total_bytes for _, total_bytes in told} == {80 * MIB}
    assert {done_bytes for done_bytes, _ in told} >= {0, 40 * MIB, 80 * MIB - len(DATA)}


def test_progress_is_told_between_steps(tmp_path, target, monkeypatch):
    monkeypatch.setattr(sparse, "COPY_STEP_BYTES", 64 * KIB)
    told = []
    with (tmp_path / "full").open("w+b") as file:
        file.write(os.urandom(MIB))
        file.flush()
        sparse.copy_data(file.fileno(), target, lambda done, total: told.append(done))
    assert told == list(range(0, MIB, 64 * KIB))


def test_a_source_that_gets_shorter_is_noticed(source, target):
    def cut(done_bytes, total_bytes):
        os.ftruncate(source, 0)

    with pytest.raises(OSError, match="ended while it was copied"):
        sparse.copy_data(source, target, cut)


def test_reserved_space_is_there_and_the_size_stays(target):
    sparse.reserve(target, 0, 4 * MIB)
    status = os.fstat(target)
    assert status.st_size == 0
    assert status.st_blocks * 512 >= 4 * MIB


@pytest.mark.parametrize("free_space", [True, False])
def test_zeros_free_space_or_keep_it(target, free_space):
    """Memory cannot zero a reserved run by itself, so there zeros are written."""
    os.pwrite(target, b"x" * 4 * MIB, 0)
    sparse.write_zeros(target, 100, 3 * MIB, free_space=free_space)
    assert os.pread(target, 4 * MIB, 0) == b"x" * 100 + bytes(3 * MIB) + b"x" * (MIB - 100)
    assert (os.fstat(target).st_blocks * 512 < 2 * MIB) == free_space


def test_nothing_is_copied_of_nothing(tmp_path, target):
    with (tmp_path / "empty").open("w+b") as file:
        sparse.copy_data(file.fileno(), target, ignore_progress)
    assert os.fstat(target).st_size == 0


def test_space_that_is_only_reserved_is_not_copied(source, target):
    """Also when none of the source is in memory, so that the kernel reads ahead in it."""
    sparse.reserve(source, 0, 80 * MIB)
    os.fsync(source)
    drop(source, 0, 80 * MIB)
    sparse.copy_data(source, target, ignore_progress)
    assert os.fstat(target).st_blocks * 512 < MIB
