"""Frames: how one block, or one page of a map, is stored.

    plain -> keyed BLAKE3 = its digest -> zstd, or raw when that saves too little -> AES-256-GCM

A frame is found by its `Location` and proved by its digest. Its nonce is its offset: a pack has a
key of its own and no two frames begin at the same place.
"""

from dataclasses import dataclass

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError

from backups.engine.format import LARGEST_PLAIN, corrupt
from backups.engine.keys import NONCE_BYTES
from drivers.errors import DriverError
from drivers.repository.base import Buffer

LEVEL = 1
TAG_BYTES = 16
CHECKSUM_BYTES = 8
LARGEST_FRAME = LARGEST_PLAIN + TAG_BYTES
RAW_FLAG = 1 << 31  # of the stored length: the plain bytes were not compressed
LENGTH_MASK = (1 << 24) - 1


@dataclass(frozen=True, slots=True)
class Location:
    """Where a frame is."""

    pack_id: bytes
    offset: int
    length: int
    is_raw: bool

    @property
    def end(self) -> int:
        return self.offset + self.length

    @property
    def length_and_flags(self) -> int:
        return self.length | (RAW_FLAG if self.is_raw else 0)


def location(pack_id: bytes, offset: int, length_and_flags: int) -> Location:
    return Location(
        pack_id, offset, length_and_flags & LENGTH_MASK, bool(length_and_flags & RAW_FLAG)
    )


def digest_of(plain: Buffer, digest_key: bytes) -> bytes:
    return blake3(plain, key=digest_key).digest()


def frame_checksum(stored: Buffer) -> bytes:
    """Proves the stored bytes to who has no key."""
    return blake3(stored).digest(length=CHECKSUM_BYTES)


class FrameWriter:
    """Makes frames. One per thread: its compressor keeps state."""

    def __init__(self) -> None:
        self._compressor = ZstdCompressor(level=LEVEL)

    def write(
        self, target: memoryview, offset: int, plain: Buffer, digest: bytes, cipher: AESGCM | None
    ) -> tuple[int, bool]:
        """Write the frame into `target` at `offset`. Return (stored length, whether it is raw)."""
        packed: Buffer = self._compressor.compress(plain)
        is_raw = len(packed) * 100 > len(plain) * 97
        return seal_frame(target, offset, plain if is_raw else packed, digest, cipher), is_raw


def seal_frame(
    target: memoryview, offset: int, packed: Buffer, digest: bytes, cipher: AESGCM | None
) -> int:
    """Write what is compressed already. Return the stored length."""
    if cipher is None:
        target[offset : offset + len(packed)] = packed
        return len(packed)
    length = len(packed) + TAG_BYTES
    cipher.encrypt_into(_nonce(offset), packed, digest, target[offset : offset + length])
    return length


def unseal_frame(stored: Buffer, place: Location, digest: bytes, cipher: AESGCM | None) -> Buffer:
    """What `seal_frame` was given. Raises `corrupt`."""
    if cipher is None:
        return stored
    try:
        return cipher.decrypt(_nonce(place.offset), stored, digest)
    except InvalidTag as error:
        raise damaged_frame(place, "not what was encrypted") from error


class FrameReader:
    """Reads frames back. One per thread."""

    def __init__(self) -> None:
        self._decompressor = ZstdDecompressor()

    def read(
        self,
        stored: Buffer,
        place: Location,
        digest: bytes,
        cipher: AESGCM | None,
        digest_key: bytes | None,
    ) -> Buffer:
        """The plain bytes, proved by the digest; with no `digest_key` only by what the frame says
        itself. Raises `corrupt`."""
        packed = unseal_frame(stored, place, digest, cipher)
        try:
            plain = packed if place.is_raw else self._decompress(packed)
        except ZstdError as error:
            raise damaged_frame(place, "not what was compressed") from error
        if digest_key is not None and digest_of(plain, digest_key) != digest:
            raise damaged_frame(place, "the digest differs")
        return plain

    def _decompress(self, packed: Buffer) -> bytes:
        return self._decompressor.decompress(packed, max_output_size=LARGEST_PLAIN)


def _nonce(offset: int) -> bytes:
    return offset.to_bytes(NONCE_BYTES, "big")


def damaged_frame(place: Location, why: str) -> DriverError:
    """The error of a frame that is not what was written."""
    return corrupt(
        "A block of the backup is damaged in the repository.",
        f"pack {place.pack_id.hex()} at {place.offset}: {why}",
    )
