"""Storing blocks: each one once, in packs, then in the index.

A block is already there when an index knows it in a pack that is present and not condemned, or when
another backup of this process is storing it just now. A condemned pack has a tombstone: it may be
deleted any day, so a block in it counts as missing and is stored again.
"""

import threading
from collections.abc import Callable, Collection
from enum import Enum

from backups.engine.frames import Location
from backups.engine.packs import OpenPack, require_pack
from backups.engine.repository import Repository
from backups.engine.shard import PREFIX_BYTES, record_of
from backups.engine.workers import work_through
from drivers.errors import DriverError, Reason

PUBLISH_BLOCKS = 1 << 15  # 2 GiB of new data: kept in memory, about 15 MiB, until published


class Outcome(Enum):
    new = "new"  # stored by this call
    known = "known"  # there already
    promised = "promised"  # another backup is about to store it: ask `Storing.settle` later


class Storing:
    """One backup's blocks. Threads share it; each has a `Lane` of its own."""

    def __init__(
        self, repository: Repository, project_id: str, condemned: Collection[bytes]
    ) -> None:
        self.repository = repository
        self.digest_key = repository.keys.digest_key(project_id)
        self.condemned = frozenset(condemned)
        self.stored_bytes = 0
        self.packs = 0
        self._domain = repository.keys.domain(project_id)
        self._lock = threading.Lock()
        self._presence: dict[bytes, bool] = {}
        self._unpublished: list[bytes] = []
        self._lanes: list[Lane] = []

    def lane(self) -> "Lane":
        lane = Lane(self, OpenPack(self._domain, self.repository.keys))
        self._lanes.append(lane)
        return lane

    def find(self, digest: bytes) -> Location | None:
        """Where the index knows the block in a pack to be relied upon."""
        for place in self.repository.index.find_all(digest):
            if place.pack_id not in self.condemned and self._is_present(place.pack_id):
                return place
        return None

    def settle(self, digest: bytes, timeout_s: float) -> bool:
        """Whether a promised block is there now. False: it has to be read and stored again."""
        claim = self.repository.claims.wait_while_open(digest[:PREFIX_BYTES], timeout_s)
        if claim is not None and claim.place is not None:
            return self.borrow(digest, claim.place)
        return self.find(digest) is not None

    def is_promised(self, digest: bytes) -> bool:
        """Whether a backup of this process is about to store the block."""
        claim = self.repository.claims.get(digest[:PREFIX_BYTES])
        return claim is not None and claim.place is None

    def borrow(self, digest: bytes, place: Location) -> bool:
        """Rely on a block that another backup has made durable but not yet put into an index.

        Our own index will know it, whatever becomes of the other's.
        """
        if place.pack_id in self.condemned:
            return False
        with self._lock:
            self._unpublished.append(record_of(digest, place))
        return True

    def finish(self, tick: Callable[[], None]) -> None:
        """Make every block durable and known to the index."""
        self.close_packs(tick)
        with self._lock:
            self._publish()

    def close_packs(self, tick: Callable[[], None]) -> None:
        """Make every block durable, all lanes at once: mostly it is waiting for the disk."""
        work_through(self._lanes, lambda _, lane: lane.close_pack(), self._lanes, tick)

    def abandon(self) -> None:
        """Give up what is claimed. What was stored are orphans, which `collect` finds."""
        self.repository.claims.release_all(self)
        self._lanes.clear()  # their buffers go now, not when cycles are looked for

    def packed(self, entries: list[tuple[bytes, Location]], size_bytes: int) -> None:
        """A lane's pack is durable."""
        places = [(digest[:PREFIX_BYTES], place) for digest, place in entries]
        self.repository.claims.made_durable(self, places)
        with self._lock:
            self.packs += 1
            self.stored_bytes += size_bytes
            self._unpublished += (record_of(digest, place) for digest, place in entries)
            if len(self._unpublished) >= PUBLISH_BLOCKS:
                self._publish()

    def _publish(self) -> None:
        if self._unpublished:
            records = sorted(self._unpublished)
            self.repository.index.publish(records, len(records))
            self.repository.claims.release(self, (each[:PREFIX_BYTES] for each in records))
            self._unpublished = []
            self.repository.index.merge_if_many()

    def _is_present(self, pack_id: bytes) -> bool:
        """Whether the pack is still there. An index may name one that a collector has deleted."""
        known = self._presence.get(pack_id)
        if known is None:
            try:
                require_pack(self.repository.driver, pack_id)
                known = True
            except DriverError as error:
                if error.code not in (Reason.not_found, Reason.corrupt):
                    raise
                known = False
            self._presence[pack_id] = known
        return known


class Lane:
    """One thread's way to store blocks, with its own pack: no thread waits for another."""

    def __init__(self, storing: Storing, pack: OpenPack) -> None:
        self._storing = storing
        self._pack = pack
        self.new_bytes = 0

    def store(self, digest: bytes, plain: bytes | memoryview, *, trust: bool = True) -> Outcome:
        """Store the block unless it is there. `trust=False`: not by another backup's promise."""
        storing = self._storing
        if storing.find(digest) is not None:
            return Outcome.known
        prefix = digest[:PREFIX_BYTES]
        claims = storing.repository.claims
        claim = claims.take(prefix, storing, self._pack)
        if claim is not None:
            if claim.owner is storing:
                return Outcome.known
            if claim.place is not None and storing.borrow(digest, claim.place):
                return Outcome.known
            if claim.place is None and trust:
                return Outcome.promised
            claims.replace(prefix, storing, self._pack)
        self._pack.append(digest, plain)
        self.new_bytes += len(plain)
        if self._pack.is_full:
            self.close_pack()
        return Outcome.new

    def close_pack(self) -> None:
        """Make what the lane holds durable."""
        if self._pack.entries:
            size_bytes = self._pack.size_bytes
            self._storing.packed(self._pack.store(self._storing.repository.driver), size_bytes)
