"""Shards of the index: sorted, mapped from a file, and searched without being loaded.

    header | fan-out | prefixes | places | packs | checksum

The first bits of a prefix select a bucket in the fan-out; the bucket's few prefixes are searched by
the C library. An entry takes 28 bytes: 448 MiB for a TiB of blocks that are all different.
"""

import heapq
import mmap
import os
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from struct import Struct
from tempfile import TemporaryFile

from blake3 import blake3

from backups.engine.format import CHECKSUM_BYTES, FORMAT, ID_BYTES, corrupt, require_format
from backups.engine.frames import Location, location
from drivers.units import MIB

PREFIX_BYTES = 16  # of the digest: two blocks with the same prefix do not happen
HEADER = Struct("<8sIIQI4x")  # magic, format, bits of the fan-out, entries, packs
MAGIC = b"khoiindx"
PAIR = Struct("<II")
PLACE = Struct("<III")  # number of the pack, offset, stored length and flags
BUCKET_ENTRIES = 64

# One entry on its way into a shard, made so that sorting the bytes sorts the entries.
RECORD = Struct(">16s16sII")  # prefix, pack id, offset, stored length and flags


def record_of(digest: bytes, place: Location) -> bytes:
    return RECORD.pack(digest[:PREFIX_BYTES], place.pack_id, place.offset, place.length_and_flags)


class Shard:
    """One object of the index, mapped."""

    def __init__(self, path: Path) -> None:
        """Map a file that `ShardBuilder` made or `require_whole` has looked at."""
        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, version, self._bits, self.entries, pack_count = HEADER.unpack_from(self._data)
        require_format(version, path.name)
        self._prefixes = HEADER.size + 4 * ((1 << self._bits) + 1)
        self._places = self._prefixes + PREFIX_BYTES * self.entries
        self._packs = self._places + PLACE.size * self.entries
        self.pack_ids = [
            self._data[at : at + ID_BYTES]
            for at in range(self._packs, self._packs + ID_BYTES * pack_count, ID_BYTES)
        ]
        if magic != MAGIC or self._packs + ID_BYTES * pack_count + CHECKSUM_BYTES != len(
            self._data
        ):
            raise corrupt("A part of the repository's index is damaged.", path.name)

    @property
    def size_bytes(self) -> int:
        return len(self._data)

    @property
    def view(self) -> memoryview:
        return memoryview(self._data)

    def find(self, prefix: bytes) -> list[Location]:
        """Every place of the block; there are two when two backups stored it at once."""
        return [self.place(row) for row in self.rows(prefix)]

    def rows(self, prefix: bytes) -> list[int]:
        """The numbers of the entries with this prefix."""
        bucket = int.from_bytes(prefix[:4], "big") >> (32 - self._bits)
        first, end = PAIR.unpack_from(self._data, HEADER.size + 4 * bucket)
        end_at = self._prefixes + PREFIX_BYTES * end
        at = self._data.find(prefix, self._prefixes + PREFIX_BYTES * first, end_at)
        found: list[int] = []
        while at >= 0:
            row, inside = divmod(at - self._prefixes, PREFIX_BYTES)
            if inside == 0:
                found.append(row)
                at = self._data.find(prefix, at + PREFIX_BYTES, end_at)
            else:  # the bytes of two neighbours look like it
                at = self._data.find(prefix, at + 1, end_at)
        return found

    def place(self, row: int) -> Location:
        """Where the entry says that the block is."""
        number, offset, length = PLACE.unpack_from(self._data, self._places + PLACE.size * row)
        return location(self.pack_ids[number], offset, length)

    def records(self) -> Iterator[bytes]:
        """Every entry, sorted by prefix; those of one prefix in any order."""
        for row in range(self.entries):
            at = self._prefixes + PREFIX_BYTES * row
            number, offset, length = PLACE.unpack_from(self._data, self._places + PLACE.size * row)
            yield RECORD.pack(
                self._data[at : at + PREFIX_BYTES], self.pack_ids[number], offset, length
            )


def build_shard(path: Path, records: Iterable[bytes], most: int) -> Shard:
    """Write a shard of at most `most` records, which come sorted by prefix, and map it.

    Records that are there twice in a row count once. Needs the memory of the fan-out only.
    """
    bits = min(24, max(0, (most // BUCKET_ENTRIES).bit_length()))
    counts = array("I", bytes(4 * ((1 << bits) + 1)))
    shift = 32 - bits
    packs: dict[bytes, int] = {}
    entries = 0
    draft = path.with_suffix(".draft")
    with (
        draft.open("w+b", buffering=MIB) as file,
        TemporaryFile(dir=path.parent, buffering=MIB) as places,
    ):
        file.seek(HEADER.size + 4 * len(counts))
        previous = b""
        for record in records:
            if record == previous:
                continue
            previous = record
            prefix, pack_id, offset, length = RECORD.unpack(record)
            counts[(int.from_bytes(prefix[:4], "big") >> shift) + 1] += 1
            file.write(prefix)
            places.write(PLACE.pack(packs.setdefault(pack_id, len(packs)), offset, length))
            entries += 1
        places.seek(0)
        while part := places.read(MIB):
            file.write(part)
        for pack_id in packs:
            file.write(pack_id)
        for bucket in range(1, len(counts)):
            counts[bucket] += counts[bucket - 1]
        if sys.byteorder == "big":
            counts.byteswap()
        file.seek(0)
        file.write(HEADER.pack(MAGIC, FORMAT, bits, entries, len(packs)) + counts.tobytes())
        file.flush()
        checksum = _checksum(file.fileno(), os.fstat(file.fileno()).st_size)
        file.seek(0, os.SEEK_END)
        file.write(checksum)
    shard = Shard(draft)
    draft.rename(path)  # mapped before: under its name another process may clear it away
    return shard


def merge_shards(path: Path, shards: Sequence[Shard], drop: Callable[[bytes], bool]) -> Shard:
    """One shard with the entries of all, but of those packs that `drop` says are to go."""
    gone = {pack_id for shard in shards for pack_id in shard.pack_ids if drop(pack_id)}
    records = merged_records(shards)
    if gone:
        records = (record for record in records if record[PREFIX_BYTES:-8] not in gone)
    return build_shard(path, records, sum(shard.entries for shard in shards))


def merged_records(shards: Iterable[Shard]) -> Iterator[bytes]:
    """The records of all, sorted."""
    return heapq.merge(*(_sorted_records(shard) for shard in shards))


def _sorted_records(shard: Shard) -> Iterator[bytes]:
    """The records of a shard in full order: equal ones of two shards then meet in a merge."""
    same: list[bytes] = []
    for record in shard.records():
        if same and same[0][:PREFIX_BYTES] != record[:PREFIX_BYTES]:
            yield from sorted(same)
            same = []
        same.append(record)
    yield from sorted(same)


def require_whole(path: Path) -> None:
    """Raise `corrupt` unless the file is a shard with every byte as it was written."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size - CHECKSUM_BYTES
        is_whole = size >= HEADER.size and os.pread(
            file.fileno(), CHECKSUM_BYTES, size
        ) == _checksum(file.fileno(), size)
    if not is_whole:
        raise corrupt("A part of the repository's index is damaged. Rebuild the index.", path.name)


def _checksum(descriptor: int, size: int) -> bytes:
    """By reading, not by mapping: mapped pages that were touched count as memory in use."""
    digest = blake3()
    offset = 0
    while offset < size:
        part = os.pread(descriptor, min(MIB, size - offset), offset)
        if not part:
            break
        digest.update(part)
        offset += len(part)
    return digest.digest()
