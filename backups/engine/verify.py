"""Verifying: is what is stored still what was written, and what does damage hit?

stored    the checksums of stored bytes; needs no key
content   decrypted, decompressed, and compared with the digest
map       every block of a backup is in a pack that is there
"""

import heapq
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, field
from enum import IntEnum

from backups.engine.format import (
    CONFIG_KEY,
    NULL_DIGEST,
    PAGE_BLOCKS,
    decode_document,
    id_in_key,
)
from backups.engine.frames import FrameReader, damaged_frame, frame_checksum
from backups.engine.manifest import (
    BackupRef,
    Manifest,
    digests_in,
    require_manifest_whole,
)
from backups.engine.packs import Footer, pack_id_of, parse_footer
from backups.engine.repository import Repository
from backups.engine.restore import OnProgress, ignore_progress, restore
from backups.engine.runs import Run, block_count, extents_of_runs, joined
from backups.engine.scan import Unreadable, scan
from backups.engine.shard import PREFIX_BYTES
from backups.engine.tombstones import decode_tombstones
from drivers.errors import DriverError, Reason
from drivers.repository.base import Buffer, StoredObject
from drivers.volume.base import Extent, VolumeWriter

MANY_PACKS = 4096  # the most that one call looks at


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
class VerifyResult:
    """What a call has looked at."""

    packs: int
    read_bytes: int
    damages: list[Damage] = field(default_factory=list)
    reached: str | None = None  # give it as `after` to go on; None: nothing is left


# Packs


def verify_packs(
    repository: Repository,
    depth: Depth,
    *,
    budget_bytes: int | None = None,
    after: str | None = None,
    tick: Callable[[], None] = lambda: None,
) -> VerifyResult:
    """Look at packs, oldest first, until the budget is used; at least at one.

    `stored` needs no key. Raises `corrupt` when the index is damaged: rebuild it before.
    """
    repository.index.refresh()
    if depth is Depth.content:
        domains = {
            repository.keys.domain(project_id): project_id
            for project_id in {m.project_id for m in scan(repository) if isinstance(m, Manifest)}
        }
    else:
        domains = {}
    packs = read_bytes = 0
    damages: list[Damage] = []
    waiting = (
        (_position(stored), stored)
        for stored in repository.driver.list_objects("packs/")
        if after is None or _position(stored) > after
    )
    chosen = heapq.nsmallest(MANY_PACKS, waiting)
    reached = after
    for position, stored in chosen:
        tick()
        reached = position
        damage = _verify_pack(repository, stored, depth, domains)
        damages += [damage] if damage else []
        packs, read_bytes = packs + 1, read_bytes + stored.size_bytes
        if budget_bytes is not None and read_bytes >= budget_bytes:
            break
    is_last = packs == len(chosen) < MANY_PACKS
    return VerifyResult(packs, read_bytes, damages, None if is_last else reached)


def _position(stored: StoredObject) -> str:
    return f"{stored.stored_at.isoformat(timespec='microseconds')} {stored.key}"


def _verify_pack(
    repository: Repository, stored: StoredObject, depth: Depth, domains: dict[bytes, str]
) -> Damage | None:
    try:
        pack_id = pack_id_of(stored)
    except DriverError as error:
        return Damage(stored.key, error)
    try:
        data = memoryview(repository.driver.get(stored.key))
        footer = parse_footer(lambda at, length: data[at : at + length], pack_id, len(data))
    except DriverError as error:
        if error.code == Reason.not_found:  # collected just now
            return None
        if error.code != Reason.corrupt:
            raise
        return Damage(stored.key, error, frozenset(repository.index.prefixes_in(pack_id)))
    bad = list(_bad_frames(repository, footer, data, depth, domains))
    if not bad:
        return None
    return Damage(stored.key, bad[0][1], frozenset(digest[:PREFIX_BYTES] for digest, _ in bad))


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


def verify_records(repository: Repository) -> list[Damage]:
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
            try:
                check(repository.driver.get(key), key)
            except DriverError as error:
                if error.code == Reason.corrupt or key == CONFIG_KEY:
                    found.append(Damage(key, error))
                elif error.code != Reason.not_found:
                    raise
    for stored in repository.driver.list_objects("index/"):
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
    on_progress: OnProgress = ignore_progress,
) -> list[Extent]:
    """Read every block of one backup as a restore would; return the runs that are damaged."""
    nowhere = _Nowhere(manifest.size_bytes)
    return restore(
        repository,
        manifest,
        nowhere,
        target_is_blank=True,
        skip_damaged=True,
        on_progress=on_progress,
    )


def verify_map(repository: Repository, manifest: Manifest) -> list[Extent]:
    """Return the runs of a backup that no pack has which is there: reads its map, no block."""
    repository.index.refresh()
    ends = {
        pack_id_of(stored): stored.size_bytes for stored in repository.driver.list_objects("packs/")
    }

    def is_there(digest: bytes) -> bool:
        return any(
            place.end <= ends.get(place.pack_id, 0) for place in repository.index.find_all(digest)
        )

    return _extents_where(repository, manifest, lambda digest: not is_there(digest))


def backups_hit(repository: Repository, prefixes: Set[bytes]) -> dict[BackupRef, list[Extent]]:
    """Which backups have one of these blocks or pages, and where. An unreadable manifest is hit
    as a whole: its list is empty."""
    repository.index.refresh()
    hit: dict[BackupRef, list[Extent]] = {}
    for found in scan(repository):
        if isinstance(found, Unreadable):
            hit[found.ref] = []
            continue
        extents = _extents_where(
            repository, found, lambda digest: digest[:PREFIX_BYTES] in prefixes
        )
        if extents:
            hit[found.ref] = extents
    return hit


def _extents_where(
    repository: Repository, manifest: Manifest, is_bad: Callable[[bytes], bool]
) -> list[Extent]:
    frames = FrameReader()
    blocks = block_count(manifest.size_bytes)

    def runs() -> Iterator[Run]:
        for number, page_digest in enumerate(manifest.pages):
            if page_digest == NULL_DIGEST:
                continue
            first = number * PAGE_BLOCKS
            end = min(first + PAGE_BLOCKS, blocks)
            page = None if is_bad(page_digest) else _page(repository, manifest, page_digest, frames)
            if page is None:
                yield first, end
                continue
            for block, digest in zip(range(first, end), digests_in(page), strict=False):
                if digest != NULL_DIGEST and is_bad(digest):
                    yield block, block + 1

    return extents_of_runs(joined(runs()), manifest.size_bytes)


def _page(
    repository: Repository, manifest: Manifest, digest: bytes, frames: FrameReader
) -> bytes | None:
    """The page, or None when it is damaged."""
    try:
        return repository.read_page(digest, manifest.project_id, frames)
    except DriverError as error:
        if error.code != Reason.corrupt:
            raise
        return None


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
