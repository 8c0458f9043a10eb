"""Collecting: the space of what no backup needs comes back, while backups go on.

    1. sweep   lists of an earlier run: packs that nothing needs by now go for good
    2. mark    packs that no map needs are put on a new list

A list may be swept once no session lives that could have begun before everybody saw it, and once it
is as old as the grace period: the second line, for another service on the same repository whose
sessions we cannot see. Sessions that began later treat what is in a listed pack as missing. Maps
that were committed meanwhile are marked again before anything goes.

Whoever compares maps with packs reads in this order: the lists, then the index, then the maps. A
collector works in the opposite one: it takes packs out of the index, deletes them, then the list.

Any number of collectors may run at once, and each may be killed at any moment: the next finds what
is left. Only packs that nothing needs at all are freed; one that is mostly dead stays as it is.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from backups.engine.format import (
    ID_BYTES,
    NULL_DIGEST,
    corrupt,
    key_of_pack,
    key_of_tombstones,
)
from backups.engine.frames import FrameReader
from backups.engine.manifest import Manifest, digests_in
from backups.engine.packs import pack_id_of, require_pack
from backups.engine.repository import Repository
from backups.engine.sessions import Sessions
from backups.engine.tombstones import (
    NOT_YET,
    Tombstones,
    encode_tombstones,
    read_tombstones,
)
from drivers.errors import DriverError, Reason

GRACE = timedelta(hours=24)
DELETE_AT_ONCE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectResult:
    """What a run did."""

    marked_packs: int  # put on a list: they go in a later run
    marked_bytes: int
    deleted_packs: int
    deleted_bytes: int
    waiting_packs: int  # on a list that may not be swept yet


def collect(
    repository: Repository,
    sessions: Sessions,
    *,
    grace: timedelta = GRACE,
    now: datetime | None = None,
    tick: Callable[[], None] = lambda: None,
) -> CollectResult:
    """Free what was listed long enough ago, and list what nothing needs now.

    `tick` is called often; what it raises ends the run, and nothing is lost by it. Raises `corrupt`
    when a map cannot be read in full: nothing is freed then.
    """
    return _Collector(repository, sessions, grace, now or datetime.now(UTC), tick).run()


class _Collector:
    """One run."""

    def __init__(
        self,
        repository: Repository,
        sessions: Sessions,
        grace: timedelta,
        now: datetime,
        tick: Callable[[], None],
    ) -> None:
        self._repository = repository
        self._driver = repository.driver
        self._sessions = sessions
        self._grace = grace
        self._now = now
        self._tick = tick

    def run(self) -> CollectResult:
        # Asked before the maps are read: what a session that ends now has committed is among them.
        oldest = self._sessions.oldest_live_epoch()
        lists = read_tombstones(self._driver)
        listed: frozenset[bytes] = frozenset().union(*(each.pack_ids for each in lists))
        self._repository.index.refresh()
        sizes = {
            pack_id_of(stored): stored.size_bytes for stored in self._driver.list_objects("packs/")
        }
        needed = self._needed_packs(listed, present=sizes.keys())

        ripe = [each for each in lists if self._may_sweep(each, oldest)]
        waiting = [each for each in lists if each not in ripe and each.epoch != NOT_YET]
        swept: frozenset[bytes] = frozenset().union(*(each.pack_ids for each in ripe)) - needed
        self._sweep(ripe, swept)

        for each in lists:
            if each.epoch == NOT_YET:  # a run was killed before it came to this
                self._arm(each.key, each.pack_ids)
        unneeded = frozenset(sizes) - needed - listed
        if unneeded:
            self._mark(unneeded)
        return CollectResult(
            marked_packs=len(unneeded),
            marked_bytes=sum(sizes[each] for each in unneeded),
            deleted_packs=len(swept),
            deleted_bytes=sum(sizes.get(each, 0) for each in swept),
            waiting_packs=len(frozenset().union(*(each.pack_ids for each in waiting))),
        )

    def _may_sweep(self, tombstones: Tombstones, oldest_live: int | None) -> bool:
        return (
            tombstones.epoch != NOT_YET
            and (oldest_live is None or oldest_live > tombstones.epoch)
            and tombstones.stored_at + self._grace <= self._now
        )

    # Phase two of earlier runs

    def _sweep(self, lists: list[Tombstones], swept: frozenset[bytes]) -> None:
        if swept:
            self._repository.index.drop_packs(swept.__contains__)
            for keys in _batches(map(key_of_pack, sorted(swept)), DELETE_AT_ONCE):
                self._tick()
                self._driver.delete(keys)
        self._driver.delete([each.key for each in lists])

    # Phase one

    def _mark(self, pack_ids: frozenset[bytes]) -> None:
        key = key_of_tombstones(NOT_YET, os.urandom(ID_BYTES))
        self._driver.put(key, [encode_tombstones(pack_ids)])
        self._arm(key, pack_ids)

    def _arm(self, draft_key: str, pack_ids: frozenset[bytes]) -> None:
        """Give the list an epoch that only sessions have passed which can see it."""
        key = key_of_tombstones(self._sessions.next_epoch(), os.urandom(ID_BYTES))
        self._driver.put(key, [encode_tombstones(pack_ids)])
        self._driver.delete([draft_key])

    # What is needed

    def _needed_packs(self, listed: frozenset[bytes], present: Set[bytes]) -> frozenset[bytes]:
        """The packs that hold something of a map.

        A listed pack is not needed for what another has too; unless all of those are listed, then
        all are needed: two collectors must not each rely on what the other deletes.
        """
        needed: set[bytes] = set()
        for digest in self._digests():
            packs = self._packs_of(digest, present)
            needed |= packs - listed or packs
        return frozenset(needed)

    def _packs_of(self, digest: bytes, present: Set[bytes]) -> set[bytes]:
        index = self._repository.index
        packs = {place.pack_id for place in index.find_all(digest)}
        if not packs & present:
            # Committed since the index was read, or lost.
            index.refresh()
            packs = {place.pack_id for place in index.find_all(digest)}
            if not any(self._is_present(pack_id) for pack_id in packs):
                raise corrupt(
                    "A backup has a block that the index of the repository does not know. Rebuild "
                    "the index, or delete the backups that a verification names.",
                    f"digest {digest.hex()}",
                )
            return packs
        return packs & present

    def _is_present(self, pack_id: bytes) -> bool:
        try:
            require_pack(self._driver, pack_id)
        except DriverError as error:
            if error.code != Reason.not_found:
                raise
            return False
        return True

    def _digests(self) -> Iterator[bytes]:
        """Every page and block of every map; a page that maps share comes once."""
        frames = FrameReader()
        seen = {NULL_DIGEST}
        for manifest in self._manifests():
            for page_digest in manifest.pages:
                if page_digest in seen:
                    continue
                seen.add(page_digest)
                self._tick()
                yield page_digest
                page = self._repository.read_page(page_digest, manifest.project_id, frames)
                for digest in digests_in(page):
                    if digest != NULL_DIGEST:
                        yield digest

    def _manifests(self) -> Iterator[Manifest]:
        for ref in self._repository.list_refs():
            try:
                yield self._repository.read_manifest(ref)
            except DriverError as error:
                if error.code != Reason.not_found:  # deleted just now
                    raise


def _batches(items: Iterable[str], size: int) -> Iterator[list[str]]:
    batch: list[str] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
