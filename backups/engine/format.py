"""What a repository is made of: sizes, names of objects, and documents with a checksum.

Everything here is a promise to repositories that exist; `docs/repository-format.md` says it in
words. A change needs a new `FORMAT`.
"""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from blake3 import blake3

from drivers.errors import DriverError, Reason
from drivers.repository.base import Buffer
from drivers.units import KIB, MIB

FORMAT = 1

BLOCK_BYTES = 64 * KIB
DIGEST_BYTES = 32
PAGE_BLOCKS = 4096
PAGE_BYTES = PAGE_BLOCKS * DIGEST_BYTES
NULL_DIGEST = bytes(DIGEST_BYTES)  # stands for a block, or a page, of zeros
ZERO_BLOCK = bytes(BLOCK_BYTES)

PACK_BYTES = 16 * MIB  # a pack is closed once it holds this much
PACK_FRAMES = 8192  # or this many frames
LARGEST_PLAIN = max(BLOCK_BYTES, PAGE_BYTES)

ID_BYTES = 16  # of packs, index shards, keys, and of the domains that digests belong to
CHECKSUM_BYTES = 32

CONFIG_KEY = "config"


def checksum_of(*parts: Buffer) -> bytes:
    """The checksum of stored bytes, which needs no key."""
    digest = blake3()
    for part in parts:
        digest.update(part)
    return digest.digest()


def key_of_wrapped_key(wrapper_id: bytes) -> str:
    return f"keys/{wrapper_id.hex()}"


def key_of_pack(pack_id: bytes) -> str:
    return f"packs/{pack_id.hex()[:2]}/{pack_id.hex()}"


def key_of_shard(shard_id: bytes) -> str:
    return f"index/{shard_id.hex()}"


def key_of_backup(volume_id: str, backup_id: str) -> str:
    return f"backups/{UUID(volume_id)}/{UUID(backup_id)}"


def key_of_tombstones(epoch: int, list_id: bytes) -> str:
    return f"tombstones/{epoch:020d}/{list_id.hex()}"


def id_in_key(key: str) -> bytes:
    """The id that an object's key ends with."""
    try:
        return bytes.fromhex(key.rpartition("/")[2])
    except ValueError as error:
        raise corrupt("The repository holds something that is not its own.", key) from error


def encode_document(fields: Mapping[str, Any]) -> bytes:
    """A JSON document that carries its own checksum."""
    body = json.dumps(fields, sort_keys=True)
    whole = {**fields, "checksum": checksum_of(body.encode()).hex()}
    return json.dumps(whole, sort_keys=True, indent=1).encode() + b"\n"


def decode_document(data: bytes, key: str) -> dict[str, Any]:
    """The fields of a document; `key` names it in the error. Raises `corrupt`."""
    try:
        fields = json.loads(data)
        fields.pop("checksum")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise corrupt("A document of the repository is damaged.", key) from error
    if encode_document(fields) != data:
        raise corrupt("A document of the repository is damaged.", key)
    return dict(fields)


def require_format(version: object, key: str) -> None:
    """Refuse as `unsupported` what a later version of the format wrote."""
    if version != FORMAT:
        raise DriverError(
            f"The repository is written in format {version}; this version reads {FORMAT}.",
            code=Reason.unsupported,
            detail=key,
        )


def corrupt(sentence: str, detail: str) -> DriverError:
    """The error of what is stored not being what was written."""
    return DriverError(sentence, code=Reason.corrupt, detail=detail)
