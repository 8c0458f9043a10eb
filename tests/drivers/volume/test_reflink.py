import ctypes
import os
import random
from itertools import pairwise
from pathlib import Path

import pytest

from drivers.units import KIB, MIB
from drivers.volume import reflink
from drivers.volume.base import Extent
from drivers.volume.sparse import KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE

BLOCK = 4 * KIB
libc = ctypes.CDLL(None)


@pytest.fixture
def pair(reflink_folder):
    """The descriptors of two empty files that can share blocks."""
    paths = reflink_folder / "older", reflink_folder / "newer"
    descriptors = [os.open(path, os.O_RDWR | os.O_CREAT) for path in paths]
    yield descriptors
    for descriptor in descriptors:
        os.close(descriptor)


def different_blocks(older: int, newer: int) -> set[int]:
    """The brute-force answer; past its end a file reads as zeros."""
    found = set()
    for offset in range(0, os.fstat(newer).st_size, BLOCK):
        before, after = (os.pread(file, BLOCK, offset) for file in (older, newer))
        if before.ljust(BLOCK, b"\0") != after.ljust(BLOCK, b"\0"):
            found.add(offset)
    return found


def allocate(descriptor: int, mode: int, offset: int, length: int) -> None:
    libc.fallocate(descriptor, mode | KEEP_SIZE, ctypes.c_int64(offset), ctypes.c_int64(length))


def scribble(descriptor: int, rng: random.Random, times: int) -> None:
    """Do to the first 4 MiB of a file whatever a guest may do to its disk."""
    for _ in range(times):
        offset = rng.randrange(1000) * BLOCK
        length = rng.choice([300, 512, BLOCK, 2 * BLOCK, 16 * BLOCK])
        match rng.randrange(7):
            case 0 | 1 | 2:
                os.pwrite(descriptor, rng.randbytes(length), offset)
            case 3:
                os.pwrite(descriptor, bytes(length), offset + rng.randrange(BLOCK))
            case 4:
                allocate(descriptor, PUNCH_HOLE, offset, length)
            case 5:
                allocate(descriptor, ZERO_RANGE, offset, length)
            case 6:
                allocate(descriptor, 0, offset, length)
        if rng.random() < 0.1:
            os.fsync(descriptor)


@pytest.mark.parametrize("seed", range(30))
def test_no_change_is_missed(pair, seed):
    older, newer = pair
    rng = random.Random(seed)
    os.ftruncate(newer, 5 * MIB)
    scribble(newer, rng, 60)
    reflink.share(newer, older)
    scribble(newer, rng, rng.randrange(40))
    if rng.random() < 0.3:
        os.ftruncate(newer, 6 * MIB)
        os.pwrite(newer, b"x" * 5000, 5 * MIB + 100_000)

    changes = reflink.changed_extents(older, newer)

    told = {
        offset
        for change in changes
        for offset in range(change.offset // BLOCK * BLOCK, change.end, BLOCK)
    }
    assert different_blocks(older, newer) <= told
    assert all(change.end <= os.fstat(newer).st_size for change in changes)
    assert all(one.end < following.offset for one, following in pairwise(changes))


def test_a_file_and_its_copy_do_not_differ(pair):
    older, newer = pair
    os.pwrite(newer, os.urandom(8 * MIB), 0)
    reflink.share(newer, older)
    assert reflink.changed_extents(older, newer) == []


def test_more_extents_than_one_call_returns(pair):
    older, newer = pair
    count = 2 * reflink.EXTENTS_PER_CALL + 10
    for index in range(count):
        os.pwrite(newer, b"data", index * 2 * BLOCK)
    reflink.share(newer, older)
    changed = [7 * 2 * BLOCK, (count - 3) * 2 * BLOCK]
    for offset in changed:
        os.pwrite(newer, b"more", offset)
    assert reflink.changed_extents(older, newer) == [Extent(offset, BLOCK) for offset in changed]


def test_support_is_found_out(reflink_folder):
    assert reflink.is_supported(reflink_folder)
    assert list(reflink_folder.iterdir()) == []


def test_lack_of_support_is_found_out():
    folder = Path("/dev/shm")  # memory shares no blocks
    before = set(folder.iterdir())
    assert not reflink.is_supported(folder)
    assert set(folder.iterdir()) == before


def test_data_without_blocks_of_its_own_counts_as_changed(pair):
    """Btrfs keeps tiny files among its metadata, where addresses tell nothing."""
    older, newer = pair
    os.pwrite(older, b"before", 0)
    os.pwrite(newer, b"after!", 0)
    assert reflink.changed_extents(older, newer) == [Extent(0, 6)]
