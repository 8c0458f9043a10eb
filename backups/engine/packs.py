"""Packs: frames one after the other, then a footer that tells where each of them is.

    header | frame | frame | ... | footer: one entry per frame | trailer

The trailer's checksum covers the header and the footer, and the footer's entries have a checksum of
their frame each: so every byte is covered, and every frame can be proved without the others.
"""

import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from struct import Struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backups.engine.format import (
    FORMAT,
    ID_BYTES,
    PACK_BYTES,
    PACK_FRAMES,
    checksum_of,
    corrupt,
    id_in_key,
    key_of_pack,
    require_format,
)
from backups.engine.frames import (
    LARGEST_FRAME,
    FrameWriter,
    Location,
    frame_checksum,
    location,
    seal_frame,
)
from backups.engine.keys import Keys
from drivers.repository.base import Buffer, RepositoryDriver, StoredObject

HEADER = Struct("<8sII16s16s16x")  # magic, format, flags, pack id, domain
HEADER_MAGIC = b"khoipack"
ENCRYPTED_FLAG = 1
ENTRY = Struct("<32sII8s")  # digest, offset, stored length and flags, checksum of the stored bytes
TRAILER = Struct("<8sII32s")  # magic, entries, zero, checksum of header, footer and what is before
TRAILER_MAGIC = b"khoifoot"
TRAILER_COVERED = TRAILER.size - 32


@dataclass(frozen=True, slots=True)
class Entry:
    """What a footer says of one frame."""

    digest: bytes
    place: Location
    checksum: bytes


@dataclass(frozen=True, slots=True)
class Footer:
    """What a pack says of itself."""

    pack_id: bytes
    domain: bytes
    is_encrypted: bool
    entries: list[Entry]


class OpenPack:
    """A pack that is being filled, in a buffer that the next one uses again. One thread's own."""

    def __init__(self, domain: bytes, keys: Keys) -> None:
        self._domain = domain
        self._keys = keys
        self._frames = FrameWriter()
        # Mapped: only what is filled takes memory, and all of it goes back with the pack.
        self._buffer = memoryview(mmap.mmap(-1, HEADER.size + PACK_BYTES + LARGEST_FRAME))
        self.is_wanted = False  # somebody waits for a block in it: close it soon
        self._begin()

    def _begin(self) -> None:
        self.pack_id = os.urandom(ID_BYTES)
        self.entries: list[tuple[bytes, Location]] = []
        self.is_wanted = False
        self._cipher: AESGCM | None = None
        if self._keys.encrypts:
            self._cipher = self._keys.pack_cipher(self.pack_id)
        self._footer = bytearray()
        self._end = HEADER.size
        flags = ENCRYPTED_FLAG if self._keys.encrypts else 0
        HEADER.pack_into(self._buffer, 0, HEADER_MAGIC, FORMAT, flags, self.pack_id, self._domain)

    @property
    def is_full(self) -> bool:
        return (
            self._end >= HEADER.size + PACK_BYTES
            or len(self.entries) >= PACK_FRAMES
            or (self.is_wanted and bool(self.entries))
        )

    @property
    def size_bytes(self) -> int:
        """How large it is once it is stored."""
        return self._end + len(self._footer) + TRAILER.size

    def append(self, digest: bytes, plain: Buffer) -> None:
        """Add a frame."""
        length, is_raw = self._frames.write(self._buffer, self._end, plain, digest, self._cipher)
        self._note(digest, length, is_raw)

    def append_packed(self, digest: bytes, packed: Buffer, is_raw: bool) -> None:
        """Add a frame of what another pack had compressed."""
        length = seal_frame(self._buffer, self._end, packed, digest, self._cipher)
        self._note(digest, length, is_raw)

    def _note(self, digest: bytes, length: int, is_raw: bool) -> None:
        place = Location(self.pack_id, self._end, length, is_raw)
        self._end += length
        self.entries.append((digest, place))
        stored = self._buffer[place.offset : place.end]
        self._footer += ENTRY.pack(
            digest, place.offset, place.length_and_flags, frame_checksum(stored)
        )

    def store(self, driver: RepositoryDriver) -> list[tuple[bytes, Location]]:
        """Make the pack durable and begin the next; return what it held."""
        driver.put(
            key_of_pack(self.pack_id),
            [self._buffer[: self._end], self._footer, self._trailer()],
        )
        entries = self.entries
        self._begin()
        return entries

    def _trailer(self) -> bytes:
        head = TRAILER.pack(TRAILER_MAGIC, len(self.entries), 0, b"")[:TRAILER_COVERED]
        return head + checksum_of(self._buffer[: HEADER.size], self._footer, head)


def require_pack(driver: RepositoryDriver, pack_id: bytes) -> None:
    """Raise `not_found` when there is no such pack, `corrupt` when it does not begin as one."""
    key = key_of_pack(pack_id)
    _read_header(driver.get_range(key, 0, HEADER.size), key, pack_id)


def _read_header(data: Buffer, key: str, pack_id: bytes) -> tuple[int, bytes]:
    """(flags, domain)"""
    magic, version, flags, named, domain = HEADER.unpack(data)
    if magic != HEADER_MAGIC or named != pack_id:
        raise corrupt("A pack of the repository is damaged.", f"{key}: header")
    require_format(version, key)
    return flags, domain


def read_footer(driver: RepositoryDriver, pack_id: bytes, size_bytes: int) -> Footer:
    """What the pack of this size holds. Raises `corrupt` when it is cut short or damaged."""
    key = key_of_pack(pack_id)
    return parse_footer(partial(driver.get_range, key), pack_id, size_bytes)


def parse_footer(read: Callable[[int, int], Buffer], pack_id: bytes, size_bytes: int) -> Footer:
    """The same of a pack that `read(offset, length)` reads."""
    key = key_of_pack(pack_id)
    if size_bytes < HEADER.size + TRAILER.size:
        raise corrupt("A pack of the repository is cut short.", key)
    header = bytes(read(0, HEADER.size))
    trailer = bytes(read(size_bytes - TRAILER.size, TRAILER.size))
    magic, count, _, checksum = TRAILER.unpack(trailer)
    start = size_bytes - TRAILER.size - count * ENTRY.size
    if magic != TRAILER_MAGIC or start < HEADER.size:
        raise corrupt("A pack of the repository is cut short or damaged.", f"{key}: trailer")
    footer = read(start, count * ENTRY.size)
    if checksum_of(header, footer, trailer[:TRAILER_COVERED]) != checksum:
        raise corrupt("A pack of the repository is damaged.", f"{key}: footer")
    flags, domain = _read_header(header, key, pack_id)
    entries = [
        Entry(digest, location(pack_id, offset, length), frame_sum)
        for digest, offset, length, frame_sum in ENTRY.iter_unpack(footer)
    ]
    if (entries[-1].place.end if entries else HEADER.size) != start:
        raise corrupt("A pack of the repository is damaged.", f"{key}: gap before the footer")
    return Footer(pack_id, domain, bool(flags & ENCRYPTED_FLAG), entries)


def pack_id_of(stored: StoredObject) -> bytes:
    """The id of a listed pack. Raises `corrupt` for what is no pack."""
    return pack_id_in(stored.key)


def pack_id_in(key: str) -> bytes:
    """The same by its key alone."""
    pack_id = id_in_key(key)
    if len(pack_id) != ID_BYTES or key != key_of_pack(pack_id):
        raise corrupt("The repository holds something that is not its own.", key)
    return pack_id
