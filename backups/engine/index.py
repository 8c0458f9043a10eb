"""The index: where each block is. Shards in the repository, mapped from a cache folder.

A shard is written once and never changed. When there are many, small ones are merged into one and
deleted after it: whoever looks at any moment finds every entry in one or the other.
"""

import errno
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from backups.engine.format import ID_BYTES, id_in_key, key_of_shard
from backups.engine.frames import Location
from backups.engine.shard import (
    PREFIX_BYTES,
    Shard,
    build_shard,
    merge_shards,
    require_whole,
)
from drivers.errors import DriverError, Reason
from drivers.repository.base import RepositoryDriver
from drivers.units import MIB

MANY_SHARDS = 24
LEAVE_SHARDS = 8  # the largest, which a merge does not touch
DOWNLOAD_BYTES = 8 * MIB
REFRESH_ATTEMPTS = 10  # each failed one means that somebody else merged just then


@contextmanager
def _errors_of_cache() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DriverError(
            "The cache for the repository's index cannot be used.",
            code=Reason.no_space if error.errno == errno.ENOSPC else Reason.failed,
            detail=str(error),
        ) from error


class Index:
    """All shards of one repository as this process knows them. Threads share it."""

    def __init__(self, driver: RepositoryDriver, cache: Path) -> None:
        self._driver = driver
        self._cache = cache
        self._shards: dict[bytes, Shard] = {}  # replaced whole, never changed: readers need no lock
        self._changing = threading.RLock()

    @property
    def shards(self) -> Collection[Shard]:
        return self._shards.values()

    @property
    def pack_ids(self) -> frozenset[bytes]:
        """Every pack that is named."""
        return frozenset().union(*(shard.pack_ids for shard in self._shards.values()))

    def find(self, digest: bytes, excluding: Collection[bytes] = ()) -> Location | None:
        """A place of the block that is not in one of these packs."""
        for place in self.find_all(digest):
            if place.pack_id not in excluding:
                return place
        return None

    def find_all(self, digest: bytes) -> list[Location]:
        """Every place of the block."""
        prefix = digest[:PREFIX_BYTES]
        return [place for shard in self._shards.values() for place in shard.find(prefix)]

    def prefixes_in(self, pack_id: bytes) -> set[bytes]:
        """The prefixes of the digests of what a pack holds, for when it cannot tell itself."""
        return {
            record[:PREFIX_BYTES]
            for shard in self._shards.values()
            if pack_id in shard.pack_ids
            for record in shard.records()
            if record[PREFIX_BYTES:-8] == pack_id
        }

    @_errors_of_cache()
    def refresh(self) -> None:
        """Know every shard that is in the repository now, and none that is gone.

        Raises `corrupt` when one is damaged.
        """
        with self._changing:
            for _ in range(REFRESH_ATTEMPTS):
                listed = {
                    id_in_key(stored.key): stored.size_bytes
                    for stored in self._driver.list_objects("index/")
                }
                try:
                    self._shards = {
                        shard_id: self._shards.get(shard_id) or self._open(shard_id, size_bytes)
                        for shard_id, size_bytes in listed.items()
                    }
                except DriverError as error:
                    if error.code != Reason.not_found:
                        raise
                else:
                    self._clear_cache()
                    return
        raise DriverError(
            "The repository's index changes too quickly to be read.",
            code=Reason.busy,
            retryable=True,
        )

    @_errors_of_cache()
    def publish(self, records: Iterable[bytes], count: int) -> None:
        """Put a shard of these sorted records into the repository."""
        shard_id = os.urandom(ID_BYTES)
        self._put(shard_id, build_shard(self._path(shard_id), records, count), replaces=())

    @_errors_of_cache()
    def merge_if_many(self) -> None:
        """Merge the small shards when looking into each of them takes long."""
        with self._changing:
            if len(self._shards) > MANY_SHARDS:
                by_size = sorted(self._shards, key=lambda each: self._shards[each].entries)
                self._merge(by_size[:-LEAVE_SHARDS], drop=lambda _: False)

    @_errors_of_cache()
    def drop_packs(self, drop: Callable[[bytes], bool]) -> None:
        """Forget what these packs held: afterwards no shard in the repository names one."""
        with self._changing:
            self.refresh()
            touched = [
                shard_id
                for shard_id, shard in self._shards.items()
                if any(drop(pack_id) for pack_id in shard.pack_ids)
            ]
            if touched:
                self._merge(touched, drop)

    def stored_shards(self) -> list[bytes]:
        """The shards that are in the repository now, damaged ones too."""
        return [id_in_key(stored.key) for stored in self._driver.list_objects("index/")]

    @_errors_of_cache()
    def replace(self, shard_ids: Collection[bytes], records: Iterable[bytes], count: int) -> None:
        """Put these sorted records in place of some shards, damaged ones too."""
        with self._changing:
            shard_id = os.urandom(ID_BYTES)
            shard = build_shard(self._path(shard_id), records, count)
            self._put(shard_id, shard, replaces=shard_ids)
            self.refresh()

    def _merge(self, shard_ids: Collection[bytes], drop: Callable[[bytes], bool]) -> None:
        merged_id = os.urandom(ID_BYTES)
        shards = [self._shards[shard_id] for shard_id in shard_ids]
        merged = merge_shards(self._path(merged_id), shards, drop)
        self._put(merged_id, merged, replaces=shard_ids)

    def _put(self, shard_id: bytes, shard: Shard, *, replaces: Collection[bytes]) -> None:
        if shard.entries:
            with shard.view as whole:
                self._driver.put(key_of_shard(shard_id), [whole])
        with self._changing:
            kept = {each: s for each, s in self._shards.items() if each not in replaces}
            self._shards = {**kept, shard_id: shard} if shard.entries else kept
        if replaces:
            self._driver.delete([key_of_shard(each) for each in replaces])
        self._clear_cache()

    def folder(self) -> Path:
        """The cache folder of this repository, which is there."""
        self._cache.mkdir(parents=True, exist_ok=True)
        return self._cache

    def require_stored(self, shard_id: bytes, size_bytes: int) -> None:
        """Raise `corrupt` unless the shard is whole in the repository, whatever the cache has."""
        draft = self._download(shard_id, size_bytes)
        draft.unlink()

    def _path(self, shard_id: bytes) -> Path:
        return self.folder() / shard_id.hex()

    def _open(self, shard_id: bytes, size_bytes: int) -> Shard:
        """Map a shard, from the repository when the cache does not hold it whole."""
        path = self._path(shard_id)
        try:
            require_whole(path)
            return Shard(path)
        except FileNotFoundError:
            pass
        except DriverError:
            path.unlink(missing_ok=True)  # of the cache: the repository may hold it whole
        draft = self._download(shard_id, size_bytes)
        shard = Shard(draft)
        draft.rename(path)
        return shard

    def _download(self, shard_id: bytes, size_bytes: int) -> Path:
        """Fetch a shard that is whole into a draft. Raises `corrupt`, `not_found`."""
        draft = self._path(shard_id).with_suffix(f".{os.urandom(4).hex()}")
        try:
            with draft.open("wb") as file:
                for offset in range(0, size_bytes, DOWNLOAD_BYTES):
                    length = min(DOWNLOAD_BYTES, size_bytes - offset)
                    file.write(self._driver.get_range(key_of_shard(shard_id), offset, length))
            require_whole(draft)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        return draft

    def _clear_cache(self) -> None:
        """Forget the files of shards that are gone. What is mapped stays readable."""
        if self._cache.is_dir():
            known = {shard_id.hex() for shard_id in self._shards}
            for path in self._cache.iterdir():
                if path.suffix == "" and path.name not in known:
                    path.unlink(missing_ok=True)
