"""Hits: which backups lack something that they need, where, and because of which object."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import inf

from backups.engine.format import NULL_DIGEST, PAGE_BLOCKS, key_of_pack
from backups.engine.frames import FrameReader, Location
from backups.engine.manifest import BackupRef, Manifest, digests_in
from backups.engine.packs import pack_id_of, require_pack
from backups.engine.repository import Repository
from backups.engine.runs import Run, extents_of_runs, joined, runs_of_extents
from backups.engine.scan import Unreadable, scan
from backups.engine.shard import PREFIX_BYTES
from backups.engine.verify import Damage
from drivers.errors import DriverError, Reason
from drivers.volume.base import Extent


@dataclass(frozen=True, slots=True)
class Hit:
    """A backup that cannot be restored in full."""

    ref: BackupRef
    extents: list[Extent]  # what is lost; empty when the manifest itself is
    # The damaged or missing packs that had it. Blocks that no index knows count as damage of the
    # manifest which names them.
    keys: frozenset[str]


def find_hits(
    repository: Repository,
    damages: Iterable[Damage] = (),
    tick: Callable[[], None] = lambda: None,
) -> Iterator[Hit]:
    """Every backup that needs something which only these damages, or no pack at all, have.

    Reads all maps, and of the blocks only those that may be damaged. Backups may be made, deleted
    and collected meanwhile.
    """
    search = _Search(repository, damages, tick)
    for found in scan(repository):
        tick()
        if isinstance(found, Unreadable):
            yield Hit(found.ref, [], frozenset([found.ref.key]))
        elif (hit := search.look_at(found)) and repository.has_backup(found.ref):
            yield hit


def verify_map(repository: Repository, manifest: Manifest) -> list[Extent]:
    """Return the runs of a backup that no pack has which is there: reads its map, no block."""
    hit = _Search(repository, (), lambda: None).look_at(manifest)
    return hit.extents if hit else []


def objects_behind(repository: Repository, manifest: Manifest, extents: list[Extent]) -> set[str]:
    """The packs that should have what is in these runs of a backup; where the index knows of none,
    the manifest."""
    frames = FrameReader()
    found: set[str] = set()
    for first, end in runs_of_extents(extents, manifest.size_bytes):
        for number in range(first // PAGE_BLOCKS, -(-end // PAGE_BLOCKS)):
            wanted = [manifest.pages[number]]
            try:
                page = repository.read_page(wanted[0], manifest.project_id, frames)
            except DriverError as error:
                if error.code != Reason.corrupt:
                    raise
            else:
                start = number * PAGE_BLOCKS
                digests = list(digests_in(page))
                wanted = digests[max(first - start, 0) : end - start]
            for digest in wanted:
                if digest != NULL_DIGEST:
                    places = repository.index.find_all(digest)
                    found |= {key_of_pack(each.pack_id) for each in places} or {manifest.ref.key}
    return found


# Blocks of a page, and the objects because of which they are lost.
_Lost = list[tuple[Run, frozenset[str]]]


class _Search:
    """One look at maps. Pages that maps share are looked at once."""

    def __init__(
        self, repository: Repository, damages: Iterable[Damage], tick: Callable[[], None]
    ) -> None:
        repository.index.refresh()
        self._repository = repository
        self._tick = tick
        self._frames = FrameReader()
        self._bad: dict[bytes, set[str]] = {}  # prefix -> the damaged packs with it
        for damage in damages:
            for prefix in damage.prefixes:
                self._bad.setdefault(prefix, set()).add(damage.key)
        self._sizes: dict[bytes, float] = {}
        for stored in repository.driver.list_objects("packs/"):
            try:
                self._sizes[pack_id_of(stored)] = stored.size_bytes
            except DriverError:
                continue  # something that is not the repository's own
        self._gone: set[bytes] = set()  # packs
        self._is_fresh = True  # whether the index is as it was when this map was there already
        self._fine: set[bytes] = set()  # pages
        self._lost: dict[bytes, _Lost] = {}  # of the other pages
        self._reasons: dict[bytes, frozenset[str] | None] = {}  # of suspicious digests

    def look_at(self, manifest: Manifest) -> Hit | None:
        runs: list[Run] = []
        keys: set[str] = set()
        self._is_fresh = False
        for number, page_digest in enumerate(manifest.pages):
            for (first, end), reasons in self._lost_in(page_digest, manifest.project_id):
                runs.append((number * PAGE_BLOCKS + first, number * PAGE_BLOCKS + end))
                keys |= reasons or {manifest.ref.key}
        extents = extents_of_runs(joined(runs), manifest.size_bytes)
        return Hit(manifest.ref, extents, frozenset(keys)) if extents else None

    def _lost_in(self, page_digest: bytes, project_id: str) -> _Lost:
        if page_digest == NULL_DIGEST or page_digest in self._fine:
            return []
        if page_digest not in self._lost:
            self._tick()
            if lost := list(self._look_at_page(page_digest, project_id)):
                self._lost[page_digest] = lost
            else:
                self._fine.add(page_digest)
        return self._lost.get(page_digest, [])

    def _look_at_page(
        self, page_digest: bytes, project_id: str
    ) -> Iterator[tuple[Run, frozenset[str]]]:
        reasons = self._why_lost(page_digest, project_id)
        if reasons is None:
            try:
                page = self._repository.read_page(page_digest, project_id, self._frames)
            except DriverError as error:
                if error.code != Reason.corrupt:
                    raise
                reasons = self._keys_of(self._repository.index.find_all(page_digest))
        if reasons is not None:
            yield (0, PAGE_BLOCKS), reasons
            return
        for block, digest in enumerate(digests_in(page)):
            if digest != NULL_DIGEST:
                reasons = self._why_lost(digest, project_id)
                if reasons is not None:
                    yield (block, block + 1), reasons

    def _why_lost(self, digest: bytes, project_id: str) -> frozenset[str] | None:
        """The objects because of which a block is lost; None when it is not."""
        suspects = self._bad.get(digest[:PREFIX_BYTES], set())
        places, there = self._places_of(digest)
        if any(key_of_pack(each.pack_id) not in suspects for each in there):
            return None
        if digest not in self._reasons:
            is_lost = not there or not self._can_be_read(digest, project_id)
            self._reasons[digest] = self._keys_of(places) if is_lost else None
        return self._reasons[digest]

    def _places_of(self, digest: bytes) -> tuple[list[Location], list[Location]]:
        """Where the block should be, and where of that something is."""
        places = self._repository.index.find_all(digest)
        there = [each for each in places if self._is_there(each)]
        if not there and not self._is_fresh:
            # Committed since the index was read, or moved.
            self._repository.index.refresh()
            self._is_fresh = True
            return self._places_of(digest)
        return places, there

    def _is_there(self, place: Location) -> bool:
        if place.pack_id not in self._sizes and place.pack_id not in self._gone:
            try:
                require_pack(self._repository.driver, place.pack_id)
            except DriverError as error:
                if error.code not in (Reason.not_found, Reason.corrupt):
                    raise
                self._gone.add(place.pack_id)
            else:
                self._sizes[place.pack_id] = inf  # stored since they were listed
        return place.end <= self._sizes.get(place.pack_id, 0)

    def _can_be_read(self, digest: bytes, project_id: str) -> bool:
        """A pack may be damaged elsewhere than in this frame."""
        try:
            self._repository.read_known(digest, project_id, self._frames)
        except DriverError as error:
            if error.code != Reason.corrupt:
                raise
            return False
        return True

    @staticmethod
    def _keys_of(places: list[Location]) -> frozenset[str]:
        return frozenset(key_of_pack(each.pack_id) for each in places)
