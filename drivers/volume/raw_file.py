"""Reading and writing a volume that is a raw file."""

import os
from collections.abc import Iterator

from drivers.errors import DriverError, Reason
from drivers.page_cache import read_nothing_ahead, read_passing, write_passing
from drivers.volume import sparse
from drivers.volume.base import Extent, VolumeReader, VolumeWriter
from drivers.volume.os_errors import translated_os_errors


class RawFileReader(VolumeReader):
    """Reads by position, so threads share it without a lock, and leaves what the machine has in
    memory of the file as it is. Owns the descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size_bytes = os.fstat(descriptor).st_size
        read_nothing_ahead(descriptor)

    @translated_os_errors()
    def read_into(self, buffer: bytearray | memoryview, offset: int) -> None:
        view = memoryview(buffer).cast("B")
        self.require_inside(offset, len(view))
        while view:
            count = read_passing(self._descriptor, view, offset)
            if count == 0:
                raise DriverError(
                    "The volume is shorter on its backend than it should be.",
                    code=Reason.corrupt,
                    detail=f"the file ends at {offset}, not at {self.size_bytes}",
                )
            view, offset = view[count:], offset + count

    def data_extents(self) -> Iterator[Extent]:
        with translated_os_errors():
            yield from sparse.data_extents(self._descriptor, self.size_bytes)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class RawFileWriter(RawFileReader, VolumeWriter):
    """Writes by position. What it zeroes becomes a hole when the volume is thin."""

    def __init__(self, descriptor: int, *, thin: bool) -> None:
        super().__init__(descriptor)
        self._thin = thin

    @translated_os_errors()
    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data).cast("B")
        self.require_inside(offset, len(view))
        while view:
            count = write_passing(self._descriptor, view, offset)
            view, offset = view[count:], offset + count

    @translated_os_errors()
    def write_zeros(self, offset: int, length: int) -> None:
        self.require_inside(offset, length)
        sparse.write_zeros(self._descriptor, offset, length, free_space=self._thin)

    @translated_os_errors()
    def flush(self) -> None:
        os.fsync(self._descriptor)
