"""Manifests: what a backup is. Putting one into the repository is the commit of the backup."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from struct import Struct
from typing import Any

from cryptography.exceptions import InvalidTag
from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError

from backups.engine.format import (
    CHECKSUM_BYTES,
    DIGEST_BYTES,
    FORMAT,
    PAGE_BLOCKS,
    checksum_of,
    corrupt,
    key_of_backup,
    require_format,
)
from backups.engine.keys import NONCE_BYTES, Keys
from backups.engine.runs import block_count
from drivers.errors import DriverError, Reason
from drivers.volume.base import JSON

HEADER = Struct("<8sII12s")  # magic, format, flags, nonce
MAGIC = b"khoimani"
ENCRYPTED_FLAG = 1
FIELDS_LENGTH = Struct("<I")
LARGEST_MANIFEST = 1 << 30


@dataclass(frozen=True, slots=True, order=True)
class BackupRef:
    """Which backup: ids are UUIDs."""

    volume_id: str
    backup_id: str

    @property
    def key(self) -> str:
        return key_of_backup(self.volume_id, self.backup_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One backup. `pages` has the digests of the pages of its map, null for a page of zeros."""

    backup_id: str
    volume_id: str
    project_id: str
    size_bytes: int
    created_at: datetime
    parent_id: str | None = None  # whose map it was compared with; nothing depends on it
    read_bytes: int = 0  # how much of the volume was read
    new_bytes: int = 0  # how much of it was in no backup before
    stored_bytes: int = 0  # what that takes in the repository
    metadata: Mapping[str, JSON] = field(default_factory=dict)
    pages: tuple[bytes, ...] = field(repr=False)

    @property
    def ref(self) -> BackupRef:
        return BackupRef(self.volume_id, self.backup_id)


def page_count(size_bytes: int) -> int:
    """How many pages the map of a volume has."""
    return -(-block_count(size_bytes) // PAGE_BLOCKS)


def digests_in(page: bytes | memoryview) -> Iterator[bytes]:
    """The digests of a page, in order."""
    whole = bytes(page)
    return (whole[at : at + DIGEST_BYTES] for at in range(0, len(whole), DIGEST_BYTES))


def encode_manifest(manifest: Manifest, keys: Keys) -> bytes:
    """The bytes of the manifest's object, encrypted when the repository is."""
    fields: dict[str, Any] = {
        name: getattr(manifest, name) for name in Manifest.__slots__ if name != "pages"
    }
    fields["created_at"] = manifest.created_at.isoformat()
    text = json.dumps(fields, sort_keys=True).encode()
    body = ZstdCompressor(level=3).compress(
        FIELDS_LENGTH.pack(len(text)) + text + b"".join(manifest.pages)
    )
    nonce, flags = bytes(NONCE_BYTES), 0
    if keys.encrypts:
        nonce, flags = os.urandom(NONCE_BYTES), ENCRYPTED_FLAG
        body = keys.manifest_cipher.encrypt(nonce, body, manifest.ref.key.encode())
    head = HEADER.pack(MAGIC, FORMAT, flags, nonce)
    return head + body + checksum_of(head, body)


def require_manifest_whole(data: bytes, key: str) -> None:
    """Raise `corrupt` unless every byte is as it was written; needs no key."""
    if checksum_of(data[:-CHECKSUM_BYTES]) != data[-CHECKSUM_BYTES:] or not data.startswith(MAGIC):
        raise corrupt("The manifest of the backup is damaged.", key)


def decode_manifest(data: bytes, keys: Keys, ref: BackupRef) -> Manifest:
    """Read a manifest back. Raises `corrupt`."""
    require_manifest_whole(data, ref.key)
    _, version, flags, nonce = HEADER.unpack_from(data)
    require_format(version, ref.key)
    body = data[HEADER.size : -CHECKSUM_BYTES]
    try:
        if bool(flags & ENCRYPTED_FLAG) != keys.encrypts:
            raise ValueError("encrypted or not, unlike the repository")
        if keys.encrypts:
            body = keys.manifest_cipher.decrypt(nonce, body, ref.key.encode())
        body = ZstdDecompressor().decompress(body, max_output_size=LARGEST_MANIFEST)
        start = FIELDS_LENGTH.size + FIELDS_LENGTH.unpack_from(body)[0]
        fields = json.loads(body[FIELDS_LENGTH.size : start])
        fields["created_at"] = datetime.fromisoformat(fields["created_at"])
        manifest = Manifest(**fields, pages=tuple(digests_in(body[start:])))
        if manifest.ref != ref or len(manifest.pages) != page_count(manifest.size_bytes):
            raise ValueError("another backup's, or cut")
    except InvalidTag as error:
        raise corrupt("The manifest of the backup is damaged or forged.", ref.key) from error
    except (ZstdError, ValueError, KeyError, TypeError) as error:
        raise corrupt("The manifest of the backup is damaged.", f"{ref.key}: {error}") from error
    return manifest


def ref_in_key(key: str) -> BackupRef:
    """Which backup's manifest has this key. Raises `corrupt` for what is no manifest."""
    _, _, rest = key.partition("/")
    volume_id, _, backup_id = rest.partition("/")
    try:
        ref = BackupRef(volume_id, backup_id)
        if ref.key == key:
            return ref
    except ValueError:
        pass
    raise DriverError(
        "The repository holds something that is not its own.", code=Reason.corrupt, detail=key
    )
