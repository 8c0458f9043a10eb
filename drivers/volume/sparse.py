"""Files with holes: finding the data in them, copying it, reserving and freeing space.

A hole is a run that was never written; it reads as zeros and takes no space.
"""

import ctypes
import errno
import os
from collections.abc import Iterator
from itertools import islice

from drivers.units import MIB
from drivers.volume.base import Extent, Progress

# The largest part copied in one system call: how often progress is told and a stop is heard.
COPY_STEP_BYTES = 32 * MIB
EXTENTS_AT_ONCE = 10_000

# Modes of fallocate(2).
KEEP_SIZE = 0x01
PUNCH_HOLE = 0x02
ZERO_RANGE = 0x10

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)

# What a kernel or file system answers that cannot do a call at all.
NOT_SUPPORTED = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EINVAL})


def data_extents(descriptor: int, size_bytes: int) -> Iterator[Extent]:
    """Yield, in order, the runs of a file that are not holes, up to `size_bytes`."""
    position = 0
    while position < size_bytes:
        try:
            start = os.lseek(descriptor, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return  # only a hole is left
            raise
        position = min(os.lseek(descriptor, start, os.SEEK_HOLE), size_bytes)
        if start < position:
            yield Extent(start, position - start)


def copy_data(source: int, target: int, on_progress: Progress) -> None:
    """Copy what is in `source` to the same places of `target`, an empty file that keeps its holes.

    The target ends where the source does.
    """
    size_bytes = os.fstat(source).st_size
    os.ftruncate(target, size_bytes)
    extents = data_extents(source, size_bytes)
    # Many are looked for before they are copied: where space is only reserved, what the kernel
    # reads ahead of a copy would be found as data, and that of a file without any data, all of it.
    while found := list(islice(extents, EXTENTS_AT_ONCE)):
        for extent in found:
            position = extent.offset
            while position < extent.end:
                on_progress(position, size_bytes)
                position += _copy_step(
                    source, target, position, min(extent.end - position, COPY_STEP_BYTES)
                )


def _copy_step(source: int, target: int, offset: int, length: int) -> int:
    """Copy up to `length` bytes, inside the kernel where it can. Return how many, at least one."""
    try:
        copied = os.copy_file_range(source, target, length, offset, offset)
    except OSError as error:
        if error.errno not in NOT_SUPPORTED:
            raise
        copied = os.pwrite(target, os.pread(source, min(length, MIB), offset), offset)
    if copied == 0:
        raise OSError(errno.EIO, "the source ended while it was copied")
    return copied


def reserve(descriptor: int, offset: int, length: int) -> None:
    """Give the run space of its own, also past the end of the file, whose size stays."""
    _fallocate(descriptor, KEEP_SIZE, offset, length)


def write_zeros(descriptor: int, offset: int, length: int, *, free_space: bool) -> None:
    """Make the run read as zeros; with `free_space` as a hole, else its space stays reserved."""
    try:
        mode = PUNCH_HOLE if free_space else ZERO_RANGE
        _fallocate(descriptor, KEEP_SIZE | mode, offset, length)
    except OSError as error:
        if error.errno not in NOT_SUPPORTED:
            raise
        end = offset + length
        while offset < end:
            offset += os.pwrite(descriptor, bytes(min(end - offset, MIB)), offset)


def _fallocate(descriptor: int, mode: int, offset: int, length: int) -> None:
    while _libc.fallocate(descriptor, mode, offset, length) != 0:
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))
