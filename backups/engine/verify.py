"""Verifying: is what is stored still what was written? What damage hits is found by `hits`.

stored    the checksums of stored bytes; needs no key
content   decrypted, decompressed, and compared with the digest
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from backups.engine.format import CONFIG_KEY, decode_document, id_in_key
from backups.engine.frames import FrameReader, damaged_frame, frame_checksum
from backups.engine.manifest import Manifest, require_manifest_whole
from backups.engine.packs import Footer, pack_id_in, parse_footer
from backups.engine.repository import Repository
from backups.engine.restore import OnProgress, ignore_progress, restore
from backups.engine.scan import scan
from backups.engine.shard import PREFIX_BYTES
from backups.engine.tombstones import decode_tombstones
from drivers.errors import DriverError, Reason
from drivers.repository.base import Buffer, StoredObject
from drivers.volume.base import Extent, VolumeWriter

MANY_PACKS = 4096  # that one listing chooses


class Depth(IntEnum):
    """How closely is looked."""

    stored = 1
    content = 2


@dataclass(frozen=True, slots=True)
class Damage:
    """An object that is not what was written."""

    key: str
    error: DriverError
    prefixes: frozenset[bytes] = frozenset()  # of the digests of the blocks and pages it hits


@dataclass(frozen=True, slots=True)
class VerifiedPack:
    """A pack that was looked at."""

    position: str  # give it as `after` to go on behind it
    size_bytes: int
    damage: Damage | None


# Packs


def verify_packs(
    repository: Repository, depth: Depth, *, after: str | None = None
) -> Iterator[VerifiedPack]:
    """Look at packs, oldest first, one after the other; take as many as there is time for.

    `stored` needs no key. Raises `corrupt` when the index is damaged: rebuild it before.
    """
    repository.index.refresh()
    domains = _domains(repository, depth)
    while chosen := heapq.nsmallest(MANY_PACKS, _packs_behind(repository, after)):
        for position, stored in chosen:
            damage = _verify_pack(repository, stored.key, depth, domains)
            yield VerifiedPack(position, stored.size_bytes, damage)
            after = position


def verify_objects(
    repository: Repository, keys: Iterable[str], tick: Callable[[], None] = lambda: None
) -> list[Damage]:
    """Look closely at some packs once more; return what is still wrong with those that are
    there."""
    repository.index.refresh()
    domains = _domains(repository, Depth.content)
    found = []
    for key in keys:
        tick()
        if damage := _verify_pack(repository, key, Depth.content, domains):
            found.append(damage)
    return found


def _domains(repository: Repository, depth: Depth) -> dict[bytes, str]:
    """The projects whose digests can be compared, by their domains."""
    if depth is not Depth.content:
        return {}
    projects = {found.project_id for found in scan(repository) if isinstance(found, Manifest)}
    return {repository.keys.domain(project_id): project_id for project_id in projects}


def _packs_behind(repository: Repository, after: str | None) -> Iterator[tuple[str, StoredObject]]:
    for stored in repository.driver.list_objects("packs/"):
        position = _position(stored)
        if after is None or position > after:
            yield position, stored


def _position(stored: StoredObject) -> str:
    return f"{stored.stored_at.isoformat(timespec='microseconds')} {stored.key}"


def _verify_pack(
    repository: Repository, key: str, depth: Depth, domains: dict[bytes, str]
) -> Damage | None:
    try:
        pack_id = pack_id_in(key)
    except DriverError as error:
        return Damage(key, error)
    try:
        data = memoryview(repository.driver.get(key))
        footer = parse_footer(lambda at, length: data[at : at + length], pack_id, len(data))
    except DriverError as error:
        if error.code == Reason.not_found:  # collected just now
            return None
        if error.code != Reason.corrupt:
            raise
        return Damage(key, error, frozenset(repository.index.prefixes_in(pack_id)))
    bad = list(_bad_frames(repository, footer, data, depth, domains))
    if not bad:
        return None
    return Damage(key, bad[0][1], frozenset(digest[:PREFIX_BYTES] for digest, _ in bad))


def _bad_frames(
    repository: Repository,
    footer: Footer,
    data: memoryview,
    depth: Depth,
    domains: dict[bytes, str],
) -> Iterator[tuple[bytes, DriverError]]:
    frames = FrameReader()
    for entry in footer.entries:
        place = entry.place
        part = data[place.offset : place.end]
        if frame_checksum(part) != entry.checksum:
            yield entry.digest, damaged_frame(place, "the checksum differs")
        elif depth is Depth.content:
            keys = repository.keys
            project_id = domains.get(footer.domain)  # None: no backup of the project is left
            try:
                frames.read(
                    part,
                    place,
                    entry.digest,
                    keys.pack_cipher(footer.pack_id) if footer.is_encrypted else None,
                    None if project_id is None else keys.digest_key(project_id),
                )
            except DriverError as error:
                yield entry.digest, error


# Everything else


def verify_records(repository: Repository, tick: Callable[[], None] = lambda: None) -> list[Damage]:
    """Look at every object that is not a pack; needs no key."""
    checks: dict[str, Callable[[bytes, str], object]] = {
        "keys/": decode_document,
        "backups/": require_manifest_whole,
        "tombstones/": decode_tombstones,
    }
    found = []
    for prefix, check in {CONFIG_KEY: decode_document, **checks}.items():
        keys = (
            [prefix]
            if prefix == CONFIG_KEY
            else [stored.key for stored in repository.driver.list_objects(prefix)]
        )
        for key in keys:
            tick()
            try:
                check(repository.driver.get(key), key)
            except DriverError as error:
                if error.code == Reason.corrupt or key == CONFIG_KEY:
                    found.append(Damage(key, error))
                elif error.code != Reason.not_found:
                    raise
    for stored in repository.driver.list_objects("index/"):
        tick()
        try:
            repository.index.require_stored(id_in_key(stored.key), stored.size_bytes)
        except DriverError as error:
            if error.code == Reason.corrupt:
                found.append(Damage(stored.key, error))
            elif error.code != Reason.not_found:  # merged just now
                raise
    return found


# One backup


def verify_backup(
    repository: Repository,
    manifest: Manifest,
    *,
    pages: range | None = None,
    on_progress: OnProgress = ignore_progress,
) -> list[Extent]:
    """Read every block of one backup, or of these pages of it, as a restore would; return the runs
    that are damaged."""
    nowhere = _Nowhere(manifest.size_bytes)
    return restore(
        repository,
        manifest,
        nowhere,
        target_is_blank=True,
        skip_damaged=True,
        pages=pages,
        on_progress=on_progress,
    )


class _Nowhere(VolumeWriter):
    """A volume that forgets what is written."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes

    def read_into(self, buffer: bytearray | memoryview, offset: int) -> None:
        raise NotImplementedError

    def data_extents(self) -> Iterator[Extent]:
        raise NotImplementedError

    def close(self) -> None:
        pass

    def write(self, offset: int, data: Buffer) -> None:
        pass

    def write_zeros(self, offset: int, length: int) -> None:
        pass

    def flush(self) -> None:
        pass
