"""What one read of a volume brings: up to 1 MiB, in blocks."""

from backups.engine.format import BLOCK_BYTES, ZERO_BLOCK
from drivers.volume.base import VolumeReader

SPAN_BLOCKS = 16
ZERO_PROBE = bytes(64)


class Span:
    """A buffer for blocks, used again and again by one thread."""

    def __init__(self) -> None:
        self._buffer = bytearray(SPAN_BLOCKS * BLOCK_BYTES)
        self._view = memoryview(self._buffer)

    def read(self, reader: VolumeReader, first: int, end: int) -> None:
        """Read whole blocks; what lies past the end of the volume is zeros."""
        offset = first * BLOCK_BYTES
        length = min(end * BLOCK_BYTES, reader.size_bytes) - offset
        reader.read_into(self._view[:length], offset)
        if missing := (end - first) * BLOCK_BYTES - length:
            self._view[length : length + missing] = ZERO_BLOCK[:missing]

    def block(self, number: int) -> memoryview | None:
        """The block of this number in the span, None when it is zeros."""
        at = number * BLOCK_BYTES
        # The probe ends it quickly for most; comparing through a memoryview would take 40 times
        # as long.
        if self._buffer.startswith(ZERO_PROBE, at) and self._buffer.startswith(ZERO_BLOCK, at):
            return None
        return self._view[at : at + BLOCK_BYTES]
