"""The content of a simulated volume, and how it is read and written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import RLock

from drivers.units import KIB
from drivers.volume.base import Extent, VolumeReader, VolumeWriter

BLOCK_BYTES = 64 * KIB
ZERO_BLOCK = bytes(BLOCK_BYTES)


@dataclass(slots=True)
class Image:
    """A volume or snapshot: the blocks that hold something, by number.

    Blocks are never changed, only replaced, so copies share them.
    """

    size_bytes: int
    blocks: dict[int, bytes] = field(default_factory=dict)

    @property
    def data_bytes(self) -> int:
        return len(self.blocks) * BLOCK_BYTES

    def copy(self, size_bytes: int) -> "Image":
        return Image(size_bytes, dict(self.blocks))

    def changed_extents(self, newer: "Image") -> list[Extent]:
        """Return where `newer` differs from this image, in order, neighbours joined."""
        changes: list[Extent] = []
        for number in sorted(self.blocks.keys() | newer.blocks.keys()):
            offset = number * BLOCK_BYTES
            if offset < newer.size_bytes and self.blocks.get(number) != newer.blocks.get(number):
                start = changes.pop().offset if changes and changes[-1].end == offset else offset
                changes.append(Extent(start, offset + BLOCK_BYTES - start))
        return changes


def _pieces(offset: int, length: int) -> Iterator[tuple[int, int, int]]:
    """Cut a run at the borders of blocks: (block number, where in it, how much of it)."""
    end = offset + length
    while offset < end:
        number, start = divmod(offset, BLOCK_BYTES)
        count = min(BLOCK_BYTES - start, end - offset)
        yield number, start, count
        offset += count


class MemoryReader(VolumeReader):
    """Sees every write at once and whole, because all hold the driver's lock."""

    def __init__(self, image: Image, lock: RLock) -> None:
        self._image = image
        self._lock = lock
        self.size_bytes = image.size_bytes

    def read_into(self, buffer: bytearray | memoryview, offset: int) -> None:
        view = memoryview(buffer).cast("B")
        self.require_inside(offset, len(view))
        with self._lock:
            for number, start, count in _pieces(offset, len(view)):
                block = self._image.blocks.get(number, ZERO_BLOCK)
                view[:count] = memoryview(block)[start : start + count]
                view = view[count:]

    def data_extents(self) -> Iterator[Extent]:
        with self._lock:
            numbers = sorted(self._image.blocks)
        for number in numbers:
            if number * BLOCK_BYTES < self.size_bytes:
                yield Extent(number * BLOCK_BYTES, BLOCK_BYTES)

    def close(self) -> None:
        pass  # nothing is held


class MemoryWriter(MemoryReader, VolumeWriter):
    """Writes at once. `require_space` refuses what the simulated disk has no room for."""

    def __init__(self, image: Image, lock: RLock, require_space: Callable[[int], None]) -> None:
        super().__init__(image, lock)
        self._require_space = require_space

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data).cast("B")
        self.require_inside(offset, len(view))
        with self._lock:
            numbers = {number for number, _, _ in _pieces(offset, len(view))}
            self._require_space(len(numbers - self._image.blocks.keys()) * BLOCK_BYTES)
            for number, start, count in _pieces(offset, len(view)):
                self._replace(number, start, view[:count])
                view = view[count:]

    def write_zeros(self, offset: int, length: int) -> None:
        self.require_inside(offset, length)
        with self._lock:
            for number, start, count in _pieces(offset, length):
                if count == BLOCK_BYTES:
                    self._image.blocks.pop(number, None)
                elif number in self._image.blocks:
                    self._replace(number, start, bytes(count))

    def flush(self) -> None:
        pass  # a written block is as durable as memory gets

    def _replace(self, number: int, start: int, data: bytes | memoryview) -> None:
        block = bytearray(self._image.blocks.get(number, ZERO_BLOCK))
        block[start : start + len(data)] = data
        self._image.blocks[number] = bytes(block)
