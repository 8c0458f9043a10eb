"""Compacting: what is left in packs that are mostly dead moves together into new ones.

The frames are copied as they are compressed; an encrypted one is decrypted and encrypted again,
because each pack has a key of its own. The new packs are durable and in the index before the old
ones go on a list, so a block is always in a pack that stays.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Set

from backups.engine.format import key_of_pack
from backups.engine.frames import Location, damaged_frame, frame_checksum, unseal_frame
from backups.engine.packs import Footer, OpenPack, parse_footer
from backups.engine.repository import Repository
from backups.engine.shard import Shard, record_of
from drivers.errors import DriverError, Reason


class Marks:
    """Which entries of the index a map names: a bit for each."""

    def __init__(self) -> None:
        self._bits: dict[Shard, bytearray] = {}

    def mark(self, shard: Shard, row: int) -> None:
        bits = self._bits.get(shard)
        if bits is None:
            bits = self._bits[shard] = bytearray(shard.entries // 8 + 1)
        bits[row >> 3] |= 1 << (row & 7)

    def offsets(self, among: Set[bytes]) -> Mapping[bytes, set[int]]:
        """Where in each of these packs a frame begins that is needed."""
        found: defaultdict[bytes, set[int]] = defaultdict(set)
        if among:
            for place, is_marked in self._places():
                if is_marked and place.pack_id in among:
                    found[place.pack_id].add(place.offset)
        return found

    def needed_of_packs(self) -> Mapping[bytes, tuple[int, int]]:
        """For each pack: (bytes of frames that are needed, bytes of all its frames)."""
        needed: defaultdict[bytes, int] = defaultdict(int)
        whole: defaultdict[bytes, int] = defaultdict(int)
        for place, is_marked in self._places():
            whole[place.pack_id] += place.length
            needed[place.pack_id] += place.length * is_marked
        return {pack_id: (needed[pack_id], whole[pack_id]) for pack_id in whole}

    def _places(self) -> Iterator[tuple[Location, bool]]:
        for shard, bits in self._bits.items():
            for row in range(shard.entries):
                yield shard.place(row), bool(bits[row >> 3] >> (row & 7) & 1)


def move_frames(
    repository: Repository, needed: Mapping[bytes, set[int]], tick: Callable[[], None]
) -> frozenset[bytes]:
    """Copy the needed frames of these packs into new ones; return the packs that may go.

    A pack that is damaged stays as it is: what can be done about it is not ours to decide.
    """
    moved: set[bytes] = set()
    records: list[bytes] = []
    packs: dict[bytes, OpenPack] = {}  # one for each project

    def store(pack: OpenPack) -> None:
        records.extend(record_of(*entry) for entry in pack.store(repository.driver))

    for pack_id, offsets in needed.items():
        tick()
        try:
            footer, frames = _needed_frames(repository, pack_id, offsets)
        except DriverError as error:
            if error.code not in (Reason.corrupt, Reason.not_found):
                raise
            continue
        pack = packs.get(footer.domain)
        if pack is None:
            pack = packs[footer.domain] = OpenPack(footer.domain, repository.keys)
        for digest, packed, is_raw in frames:
            pack.append_packed(digest, packed, is_raw)
            if pack.is_full:
                store(pack)
        moved.add(pack_id)
    for pack in packs.values():
        if pack.entries:
            store(pack)
    if records:
        repository.index.publish(sorted(records), len(records))
    return frozenset(moved)


def _needed_frames(
    repository: Repository, pack_id: bytes, offsets: set[int]
) -> tuple[Footer, list[tuple[bytes, bytes, bool]]]:
    """What a pack has at these offsets: (digest, what is compressed, whether it is raw)."""
    data = memoryview(repository.driver.get(key_of_pack(pack_id)))
    footer = parse_footer(lambda at, length: data[at : at + length], pack_id, len(data))
    cipher = repository.keys.pack_cipher(pack_id) if footer.is_encrypted else None
    frames = []
    for entry in footer.entries:
        if entry.place.offset in offsets:
            stored = data[entry.place.offset : entry.place.end]
            if frame_checksum(stored) != entry.checksum:
                raise damaged_frame(entry.place, "the checksum differs")
            packed = bytes(unseal_frame(stored, entry.place, entry.digest, cipher))
            frames.append((entry.digest, packed, entry.place.is_raw))
    return footer, frames
