"""Files that are read or written once and by nobody else: they must not push out of the machine's
memory what its servers read all the time.

From Linux 6.14 on, and where the file system can, the kernel does it: RWF_DONTCACHE drops what a
read brought in, and leaves what was there. Elsewhere a read asks first what is there already
(RWF_NOWAIT), and drops the rest when it has it; what is written stays.
"""

import errno
import mmap
import os

RWF_DONTCACHE = 0x80  # of linux/fs.h; Python does not name it yet
UNSUPPORTED = (errno.EOPNOTSUPP, errno.EINVAL)
# What is asked for at once then. The kernel begins to read what it is asked for and has not, so
# where what is there begins or ends, a piece may stay, or go, that did not.
PIECE_BYTES = 256 << 10


def read_nothing_ahead(descriptor: int) -> None:
    """Call once, before `read_passing`: else the kernel reads ahead, and nobody would drop that."""
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)


def read_passing(descriptor: int, view: memoryview, offset: int) -> int:
    """Read into `view` what is at `offset`, as `os.preadv` does: maybe less; return how much."""
    try:
        return os.preadv(descriptor, [view], offset, RWF_DONTCACHE)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    piece = view[:PIECE_BYTES]
    return _read_present(descriptor, piece, offset) or _read_and_drop(descriptor, piece, offset)


def write_passing(descriptor: int, view: memoryview, offset: int) -> int:
    """Write `view` at `offset`, as `os.pwrite` does: maybe less; return how much. It begins at once
    to go to the disk, and stays in memory no longer than that takes, where the kernel can do it."""
    try:
        return os.pwritev(descriptor, [view], offset, RWF_DONTCACHE)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    return os.pwrite(descriptor, view, offset)


def _read_present(descriptor: int, view: memoryview, offset: int) -> int:
    """What is in memory already, up to the first page that is not."""
    try:
        return os.preadv(descriptor, [view], offset, os.RWF_NOWAIT)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, *UNSUPPORTED):
            raise
        return 0


def _read_and_drop(descriptor: int, view: memoryview, offset: int) -> int:
    count = os.preadv(descriptor, [view], offset)
    first, end = offset // mmap.PAGESIZE, -(-(offset + count) // mmap.PAGESIZE)
    drop(descriptor, first * mmap.PAGESIZE, (end - first) * mmap.PAGESIZE)  # only whole pages go
    return count


def drop(descriptor: int, offset: int, length: int) -> None:
    """Let go of what is in memory of a file, unless it has yet to be written to disk."""
    os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)
