"""Copies that share blocks (FICLONE) and what no longer is shared (FIEMAP): btrfs, XFS and kin.

Two files share a block when the same place of both lies at the same physical address. A write to
one of them moves that block elsewhere, and as long as the other file exists its address is not
used again. So equal addresses mean equal bytes, with no bookkeeping that a crash could spoil.
"""

import errno
import fcntl
import os
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from drivers.units import KIB
from drivers.volume.base import Extent

FICLONE = 0x40049409
FS_IOC_FIEMAP = 0xC020660B

# struct fiemap: start, length, flags, mapped_extents, extent_count, reserved; then the extents.
HEADER = struct.Struct("=QQIIII")
# struct fiemap_extent: logical, physical, length, two reserved, flags, three reserved.
EXTENT = struct.Struct("=QQQ16xI12x")
EXTENTS_PER_CALL = 2048
FIEMAP_FLAG_SYNC = 0x01  # write out what is only in memory, so that it has an address

LAST = 0x0001
UNWRITTEN = 0x0800
# Unknown, delayed, encoded, not aligned, inline, tail-packed: the address does not tell the bytes.
# Encoded is there because the parts of a compressed extent all have the address of its start.
ADDRESS_MEANS_NOTHING = 0x0002 | 0x0004 | 0x0008 | 0x0100 | 0x0200 | 0x0400


def is_supported(folder: Path) -> bool:
    """Try whether files in this folder can share blocks. Leaves nothing behind, even if killed."""
    with tempfile.TemporaryFile(dir=folder) as source, tempfile.TemporaryFile(dir=folder) as target:
        source.write(bytes(64 * KIB))
        source.flush()
        try:
            share(source.fileno(), target.fileno())
        except OSError as error:
            if error.errno in (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.ENOSYS):
                return False
            raise
        return True


def share(source: int, target: int) -> None:
    """Make `target` the same as `source` at this moment, whoever is writing to it."""
    fcntl.ioctl(target, FICLONE, source)


def changed_extents(older: int, newer: int) -> list[Extent]:
    """Return where the newer file may differ from the older one, up to the newer one's end.

    May tell too much, never too little. Past the older one's end, zeros are no change.
    """
    size_bytes = os.fstat(newer).st_size
    changes: list[Extent] = []
    old_runs, new_runs = _runs(older, size_bytes), _runs(newer, size_bytes)
    old = new = _Run(0, 0, None)
    position = 0
    while position < size_bytes:
        if old.end == position:
            old = next(old_runs)
        if new.end == position:
            new = next(new_runs)
        end = min(old.end, new.end)
        if not old.shares_with(new):
            if changes and changes[-1].end == position:
                position = changes.pop().offset
            changes.append(Extent(position, end - position))
        position = end
    return changes


class _Run(NamedTuple):
    """A part of a file, from `start` to `end`, all in one place."""

    start: int
    end: int
    # Where byte 0 of the file would lie if all of it lay in a row with this run; None for zeros.
    origin: int | None
    is_known: bool = True

    def shares_with(self, other: "_Run") -> bool:
        return self.is_known and other.is_known and self.origin == other.origin


def _runs(descriptor: int, size_bytes: int) -> Iterator[_Run]:
    """Yield runs that cover the file from 0 to `size_bytes` without a gap."""
    position = 0
    for start, physical, length, flags in _mapped_extents(descriptor):
        if start >= size_bytes:
            break
        if position < start:
            yield _Run(position, start, None)
        position = min(start + length, size_bytes)
        if flags & UNWRITTEN:
            yield _Run(start, position, None)
        elif flags & ADDRESS_MEANS_NOTHING:
            yield _Run(start, position, None, is_known=False)
        else:
            yield _Run(start, position, physical - start)
    if position < size_bytes:
        yield _Run(position, size_bytes, None)


def _mapped_extents(descriptor: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (logical start, physical start, length, flags) of everything that is not a hole."""
    start = 0
    while True:
        answer = bytearray(HEADER.size + EXTENTS_PER_CALL * EXTENT.size)
        HEADER.pack_into(
            answer, 0, start, (1 << 64) - 1 - start, FIEMAP_FLAG_SYNC, 0, EXTENTS_PER_CALL, 0
        )
        fcntl.ioctl(descriptor, FS_IOC_FIEMAP, answer)
        count = HEADER.unpack_from(answer)[3]
        if count == 0:
            return
        extents = memoryview(answer)[HEADER.size : HEADER.size + count * EXTENT.size]
        for logical, physical, length, flags in EXTENT.iter_unpack(extents):
            yield logical, physical, length, flags
            if flags & LAST:
                return
        start = logical + length
