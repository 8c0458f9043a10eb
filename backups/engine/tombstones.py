"""Tombstones: lists of packs that will be deleted.

One object per list. It is first put under epoch 0, and then, once everybody can see it, under an
epoch that is given out after that: every session with a greater epoch began when the list was
there, and relies on none of its packs.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from struct import Struct

from backups.engine.format import (
    CHECKSUM_BYTES,
    FORMAT,
    ID_BYTES,
    checksum_of,
    corrupt,
    id_in_key,
    key_of_tombstones,
    require_format,
)
from backups.engine.sessions import Sessions
from drivers.errors import DriverError, Reason
from drivers.repository.base import RepositoryDriver

HEADER = Struct("<8sII")  # magic, format, packs
MAGIC = b"khoitomb"
NOT_YET = 0  # the epoch of a list that not everybody can be sure to have seen


@dataclass(frozen=True, slots=True)
class Tombstones:
    """One list."""

    epoch: int
    list_id: bytes
    stored_at: datetime
    pack_ids: frozenset[bytes]

    @property
    def key(self) -> str:
        return key_of_tombstones(self.epoch, self.list_id)


def encode_tombstones(pack_ids: frozenset[bytes]) -> bytes:
    body = HEADER.pack(MAGIC, FORMAT, len(pack_ids)) + b"".join(sorted(pack_ids))
    return body + checksum_of(body)


def decode_tombstones(data: bytes, key: str) -> frozenset[bytes]:
    """Raises `corrupt`."""
    body = data[:-CHECKSUM_BYTES]
    if checksum_of(body) != data[-CHECKSUM_BYTES:] or not body.startswith(MAGIC):
        raise corrupt("A list of packs to delete is damaged. Delete it: nothing is lost.", key)
    _, version, count = HEADER.unpack_from(body)
    require_format(version, key)
    return frozenset(
        body[at : at + ID_BYTES]
        for at in range(HEADER.size, HEADER.size + count * ID_BYTES, ID_BYTES)
    )


def read_tombstones(driver: RepositoryDriver) -> list[Tombstones]:
    """Every list there is. Raises `corrupt`."""
    found = []
    for stored in driver.list_objects("tombstones/"):
        epoch = int(stored.key.split("/")[1])
        try:
            pack_ids = decode_tombstones(driver.get(stored.key), stored.key)
        except DriverError as error:
            if error.code == Reason.not_found:
                # Swept, or put under a greater epoch, which the listing then has too.
                continue
            raise
        found.append(Tombstones(epoch, id_in_key(stored.key), stored.stored_at, pack_ids))
    return found


def condemned_packs(driver: RepositoryDriver) -> frozenset[bytes]:
    """Every pack with a tombstone: nobody may begin to rely on it."""
    return frozenset().union(*(each.pack_ids for each in read_tombstones(driver)))


def condemn(driver: RepositoryDriver, sessions: Sessions, pack_ids: frozenset[bytes]) -> None:
    """Put packs on a new list: what is in them counts as missing from now on, and is stored again
    by whoever needs it. They go once that has come true for all that any map needs."""
    key = key_of_tombstones(NOT_YET, os.urandom(ID_BYTES))
    driver.put(key, [encode_tombstones(pack_ids)])
    arm(driver, sessions, key, pack_ids)


def arm(
    driver: RepositoryDriver, sessions: Sessions, draft_key: str, pack_ids: frozenset[bytes]
) -> None:
    """Give the list an epoch that only sessions have passed which can see it."""
    key = key_of_tombstones(sessions.next_epoch(), os.urandom(ID_BYTES))
    driver.put(key, [encode_tombstones(pack_ids)])
    driver.delete([draft_key])
