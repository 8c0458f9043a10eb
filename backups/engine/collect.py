"""Collecting: the space of what no backup needs comes back, while backups go on.

    1. sweep   lists of an earlier run: packs that nothing needs by now go for good
    2. compact what is left in old packs that are mostly dead is copied into new ones
    3. mark    packs that no map needs, or whose blocks were copied, are put on a new list

A list may be swept once no session lives that could have begun before everybody saw it, and once it
is as old as the grace period: the second line, for another service on the same repository whose
sessions we cannot see. Sessions that began later treat what is in a listed pack as missing. Maps
that were committed meanwhile are marked again before anything goes.

Whoever compares maps with packs reads in this order: the lists, then the index, then the maps. A
collector works in the opposite one: it takes packs out of the index, deletes them, then the list.

Any number of collectors may run at once, and each may be killed at any moment: the next finds what
is left.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from backups.engine.compact import Marks, move_frames
from backups.engine.format import (
    NULL_DIGEST,
    corrupt,
    key_of_pack,
)
from backups.engine.frames import FrameReader
from backups.engine.manifest import Manifest, digests_in
from backups.engine.packs import pack_id_of, require_pack
from backups.engine.repository import Repository
from backups.engine.sessions import Sessions
from backups.engine.shard import PREFIX_BYTES
from backups.engine.tombstones import (
    NOT_YET,
    Tombstones,
    arm,
    condemn,
    read_tombstones,
)
from drivers.errors import DriverError, Reason
from drivers.repository.base import StoredObject
from drivers.units import GIB

GRACE = timedelta(hours=24)
MOSTLY_DEAD = 0.3
MOVE_BYTES = 4 * GIB
DELETE_AT_ONCE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectResult:
    """What a run did."""

    marked_packs: int  # put on a list: they go in a later run
    marked_bytes: int
    deleted_packs: int
    deleted_bytes: int
    waiting_packs: int  # on a list that may not be swept yet
    moved_packs: int  # of those marked: what was left in them was copied


def collect(
    repository: Repository,
    sessions: Sessions,
    *,
    grace: timedelta = GRACE,
    mostly_dead: float = MOSTLY_DEAD,
    move_bytes: int = MOVE_BYTES,
    now: datetime | None = None,
    tick: Callable[[], None] = lambda: None,
) -> CollectResult:
    """Free what was listed long enough ago, and list what nothing needs now.

    A pack older than `grace` of which less than `mostly_dead` is needed is compacted; a run copies
    no more than `move_bytes`. `tick` is called often; what it raises ends the run, and nothing is
    lost by it. Raises `corrupt` when a map cannot be read in full: nothing is freed then.
    """
    collector = _Collector(repository, sessions, grace, now or datetime.now(UTC), tick)
    return collector.run(mostly_dead, move_bytes)


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
        self._marks = Marks()

    def run(self, mostly_dead: float, move_bytes: int) -> CollectResult:
        # Asked before the maps are read: what a session that ends now has committed is among them.
        oldest = self._sessions.oldest_live_epoch()
        lists = read_tombstones(self._driver)
        listed: frozenset[bytes] = frozenset().union(*(each.pack_ids for each in lists))
        self._repository.index.refresh()
        named = self._repository.index.pack_ids
        packs = {pack_id_of(stored): stored for stored in self._driver.list_objects("packs/")}
        needed = self._needed_packs(listed, present=packs.keys())

        ripe = [each for each in lists if self._may_sweep(each, oldest)]
        waiting = [each for each in lists if each not in ripe and each.epoch != NOT_YET]
        swept: frozenset[bytes] = frozenset().union(*(each.pack_ids for each in ripe)) - needed
        self._sweep(ripe, swept, gone=named - packs.keys())

        for each in lists:
            if each.epoch == NOT_YET:  # a run was killed before it came to this
                arm(self._driver, self._sessions, each.key, each.pack_ids)
        moved = self._compact(packs, needed - listed, mostly_dead, move_bytes)
        unneeded = frozenset(packs) - needed - listed
        if unneeded or moved:
            condemn(self._driver, self._sessions, unneeded | moved)
        return CollectResult(
            marked_packs=len(unneeded | moved),
            marked_bytes=sum(packs[each].size_bytes for each in unneeded | moved),
            deleted_packs=len(swept),
            deleted_bytes=sum(packs[each].size_bytes for each in swept if each in packs),
            waiting_packs=len(frozenset().union(*(each.pack_ids for each in waiting))),
            moved_packs=len(moved),
        )

    def _may_sweep(self, tombstones: Tombstones, oldest_live: int | None) -> bool:
        return (
            tombstones.epoch != NOT_YET
            and (oldest_live is None or oldest_live > tombstones.epoch)
            and tombstones.stored_at + self._grace <= self._now
        )

    # Phase two of earlier runs

    def _sweep(
        self, lists: list[Tombstones], swept: frozenset[bytes], gone: frozenset[bytes]
    ) -> None:
        """Delete packs. `gone` are those that the index names and that are not there, as when a
        merge somewhere else did not know of a sweep."""
        if swept or gone:
            self._repository.index.drop_packs((swept | gone).__contains__)
        for keys in _batches(map(key_of_pack, sorted(swept)), DELETE_AT_ONCE):
            self._tick()
            self._driver.delete(keys)
        self._driver.delete([each.key for each in lists])

    # Compacting

    def _compact(
        self,
        packs: Mapping[bytes, StoredObject],
        candidates: frozenset[bytes],
        mostly_dead: float,
        move_bytes: int,
    ) -> frozenset[bytes]:
        """Copy what is left in packs that are mostly dead; return those."""
        chosen: set[bytes] = set()
        for pack_id, (needed_bytes, all_bytes) in self._marks.needed_of_packs().items():
            # A young one may be of a backup that is not committed yet.
            if (
                pack_id in candidates
                and needed_bytes < mostly_dead * all_bytes
                and packs[pack_id].stored_at + self._grace <= self._now
                and needed_bytes <= move_bytes
            ):
                chosen.add(pack_id)
                move_bytes -= needed_bytes
        return move_frames(self._repository, self._marks.offsets(chosen), self._tick)

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
        packs = self._mark_entries(digest)
        if not packs & present:
            # Committed since the index was read, or lost.
            self._repository.index.refresh()
            packs = self._mark_entries(digest)
            if not any(self._is_present(pack_id) for pack_id in packs):
                raise corrupt(
                    "A backup has a block that the index of the repository does not know. Rebuild "
                    "the index, or delete the backups that a verification names.",
                    f"digest {digest.hex()}",
                )
            return packs
        return packs & present

    def _mark_entries(self, digest: bytes) -> set[bytes]:
        """Mark the digest wherever the index knows it; return the packs."""
        packs = set()
        prefix = digest[:PREFIX_BYTES]
        for shard in self._repository.index.shards:
            for row in shard.rows(prefix):
                self._marks.mark(shard, row)
                packs.add(shard.place(row).pack_id)
        return packs

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
