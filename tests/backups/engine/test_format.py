"""The format is as documented, and stays so: the vectors are those in docs/repository-format.md."""

import hashlib
import hmac
import re
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest
from blake3 import blake3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from zstandard import ZstdDecompressor

from backups.engine.format import BLOCK_BYTES, encode_document
from backups.engine.frames import FrameWriter, Location, digest_of
from backups.engine.keys import Keys, check_value
from backups.engine.manifest import Manifest, encode_manifest
from backups.engine.shard import build_shard, record_of
from backups.engine.tombstones import encode_tombstones
from drivers.volume.memory_image import Image
from tests.backups.engine.vault import PROJECT, Vault, writer

PAGE = Path(__file__).parents[3] / "docs" / "repository-format.md"
MASTER, REPOSITORY_ID, PROJECT_ID = bytes(range(32)), bytes(range(16)), "demo"
PACK_ID = bytes(range(16, 32))
BLOCK = (b"Khoi" * BLOCK_BYTES)[:BLOCK_BYTES]
NOISE = blake3(b"noise").digest(length=BLOCK_BYTES)


def vectors(folder: Path) -> dict[str, str]:
    """Every row of the table. What depends on the release of zstd is not among them."""
    keys = Keys(MASTER, REPOSITORY_ID, encrypts=True)
    digest_key = keys.digest_key(PROJECT_ID)
    digest = digest_of(NOISE, digest_key)
    frame = memoryview(bytearray(BLOCK_BYTES + 1000))
    length, is_raw = FrameWriter().write(frame, 64, NOISE, digest, keys.pack_cipher(PACK_ID))
    assert is_raw
    build_shard(folder / "s", [record_of(digest, Location(PACK_ID, 64, length, is_raw))], 1)
    rows = {
        "`key_check`": check_value(MASTER),
        "digest key of the project": digest_key.hex(),
        "domain of the project": keys.domain(PROJECT_ID).hex(),
        "digest of a block of `Khoi` again and again": digest_of(BLOCK, digest_key).hex(),
        "digest of *noise*: 64 KiB of BLAKE3 of `noise`": digest.hex(),
        "checksum of *noise* as a raw frame at offset 64 of pack `101112…1f`, encrypted": blake3(
            frame[64 : 64 + length]
        ).hexdigest(),
        "checksum of a shard with that frame alone": blake3(
            (folder / "s").read_bytes()
        ).hexdigest(),
        "checksum of a list of that pack": blake3(
            encode_tombstones(frozenset([PACK_ID]))
        ).hexdigest(),
        'checksum of the document `{"kind": "none"}`': blake3(
            encode_document({"kind": "none"})
        ).hexdigest(),
    }
    return {name: f"`{value}`" for name, value in rows.items()}


def test_the_vectors_are_those_of_the_documentation(tmp_path: Path) -> None:
    table = PAGE.read_text().partition("## Test vectors")[2]
    documented = dict(re.findall(r"^\| (.+?) \| (`[0-9a-f]+`) \|$", table, re.MULTILINE))
    assert documented == vectors(tmp_path)


def hkdf(info: bytes) -> bytes:
    """HKDF-SHA-256 by RFC 5869, for one block of output."""
    secret = hmac.digest(REPOSITORY_ID, MASTER, hashlib.sha256)
    return hmac.digest(secret, info + b"\x01", hashlib.sha256)


def test_keys_follow_from_the_master_key_as_documented() -> None:
    keys = Keys(MASTER, REPOSITORY_ID, encrypts=True)
    assert keys.digest_key(PROJECT_ID) == hkdf(b"khoi 1 digests demo")
    sealed = keys.pack_cipher(PACK_ID).encrypt(bytes(12), b"x", None)
    assert AESGCM(hkdf(b"khoi 1 pack " + PACK_ID)).decrypt(bytes(12), sealed, None) == b"x"
    manifest = Manifest(
        backup_id="0" * 8 + "-0000-0000-0000-" + "0" * 12,
        volume_id="1" * 8 + "-1111-1111-1111-" + "1" * 12,
        project_id=PROJECT_ID,
        size_bytes=70000,
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        metadata={"name": "ü"},
        pages=(bytes(range(32)),),
    )
    data = encode_manifest(manifest, keys)
    assert data[:16] == b"khoimani" + struct.pack("<II", 1, 1)
    name = f"backups/{manifest.volume_id}/{manifest.backup_id}".encode()
    body = AESGCM(hkdf(b"khoi 1 manifests")).decrypt(data[16:28], data[28:-32], name)
    plain = ZstdDecompressor().decompress(body)
    (length,) = struct.unpack_from("<I", plain)
    assert plain[4 + length :] == bytes(range(32))
    assert blake3(data[:-32]).digest() == data[-32:]


@pytest.mark.parametrize("cut_away", [0, 5])
def test_a_reader_made_from_the_documentation_restores(vault: Vault, cut_away: int) -> None:
    """Nothing of the engine reads here: only what the page says."""
    image = Image(3 * BLOCK_BYTES - cut_away)
    writer(image).write(0, BLOCK[:5000])
    writer(image).write(2 * BLOCK_BYTES, NOISE[: BLOCK_BYTES - cut_away])
    ref = vault.back_up(image, threads=1).manifest.ref
    stored = {each.key: vault.driver.get(each.key) for each in vault.driver.list_objects("")}

    frames = {}
    for pack in (data for key, data in stored.items() if key.startswith("packs/")):
        magic, count, _ = struct.unpack_from("<8sII", pack, len(pack) - 48)
        assert (pack[:8], magic) == (b"khoipack", b"khoifoot")
        for at in range(len(pack) - 48 - 48 * count, len(pack) - 48, 48):
            digest, offset, flags, checksum = struct.unpack_from("<32sII8s", pack, at)
            frame = pack[offset : offset + (flags & 0xFFFFFF)]
            assert blake3(frame).digest(length=8) == checksum
            frames[digest] = frame if flags >> 31 else ZstdDecompressor().decompress(frame)
    plain = ZstdDecompressor().decompress(
        stored[f"backups/{ref.volume_id}/{ref.backup_id}"][28:-32]
    )
    (length,) = struct.unpack_from("<I", plain)
    blocks = []
    for at in range(4 + length, len(plain), 32):
        page = frames[plain[at : at + 32]]
        blocks += [frames.get(page[place : place + 32]) for place in range(0, len(page), 32)]
    assert not any(blocks[3:])
    content = b"".join(block or bytes(BLOCK_BYTES) for block in blocks[:3])
    size = image.size_bytes
    expected = BLOCK[:5000] + bytes(2 * BLOCK_BYTES - 5000) + NOISE[: BLOCK_BYTES - cut_away]
    assert content[:size] == expected
    assert PROJECT.encode() in plain
