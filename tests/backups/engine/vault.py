"""A repository with simulated volumes around it, and what every test does with them."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from backups.engine.backup import BackupResult, backup
from backups.engine.collect import CollectResult, collect
from backups.engine.keys import Secret
from backups.engine.manifest import BackupRef, Manifest
from backups.engine.packs import pack_id_of
from backups.engine.repository import Repository, create_repository, open_repository
from backups.engine.restore import restore
from backups.engine.sessions import MemorySessions
from backups.engine.verify import Damage, Depth, verify_packs
from drivers.repository.base import Buffer, RepositoryDriver, RepositoryStats, StoredObject
from drivers.repository.memory import MemoryRepository
from drivers.volume.base import Extent
from drivers.volume.memory_image import Image, MemoryReader, MemoryWriter

PROJECT = "0f0e0d0c0b0a09080706050403020100"
LOCK = threading.RLock()


def memory_driver() -> MemoryRepository:
    return MemoryRepository(MemoryRepository.Options(), name="shelf", home=Path())


def reader(image: Image) -> MemoryReader:
    return MemoryReader(image, LOCK)


def writer(image: Image) -> MemoryWriter:
    return MemoryWriter(image, LOCK, lambda _: None)


def content(image: Image) -> dict[int, bytes]:
    """What a volume holds, in a form that two volumes of any size are compared by."""
    return {number: block for number, block in image.blocks.items() if any(block)}


class Vault:
    """One process's view of a repository. `sessions` are those of all processes."""

    def __init__(
        self,
        cache: Path,
        driver: RepositoryDriver | None = None,
        *,
        secrets: Sequence[Secret] = (),
        sessions: MemorySessions | None = None,
    ) -> None:
        self.driver = driver or memory_driver()
        self.cache = cache
        self.sessions = sessions or MemorySessions()
        self.secrets = secrets
        if driver is None:
            create_repository(self.driver, secrets, cache=cache)
        self.repository = self.reopened()

    def reopened(self) -> Repository:
        secret = self.secrets[0] if self.secrets else None
        return open_repository(self.driver, secret, cache=self.cache)

    def back_up(
        self,
        image: Image,
        *,
        volume_id: str | None = None,
        backup_id: str | None = None,
        **more: Any,
    ) -> BackupResult:
        session = self.sessions.begin()
        try:
            return backup(
                self.repository,
                reader(image),
                backup_id=backup_id or str(uuid4()),
                volume_id=volume_id or str(uuid4()),
                project_id=more.pop("project_id", PROJECT),
                session=session,
                threads=more.pop("threads", 2),
                **more,
            )
        finally:
            session.end()

    def restored(self, backup_or_ref: Manifest | BackupRef, *, past_end: int = 0) -> Image:
        """A volume that was full of something else, after a restore."""
        manifest = (
            backup_or_ref
            if isinstance(backup_or_ref, Manifest)
            else self.repository.read_manifest(backup_or_ref)
        )
        image = Image(manifest.size_bytes + past_end)
        dirty = writer(image)
        for offset in range(0, image.size_bytes, 50_000_000):
            dirty.write(offset, b"x" * min(100_000, image.size_bytes - offset))
        assert restore(self.repository, manifest, dirty, threads=2) == []
        return image

    def collect(self, **more: Any) -> CollectResult:
        more.setdefault("grace", timedelta(0))
        return collect(self.repository, self.sessions, **more)

    def packs(self) -> set[bytes]:
        return {pack_id_of(stored) for stored in self.driver.list_objects("packs/")}

    def refs(self) -> list[BackupRef]:
        return list(self.repository.list_refs())

    def require_no_orphans(self) -> None:
        """Nothing is in the repository that no backup needs, and nothing is missing."""
        assert self.collect().marked_packs == 0
        assert not list(self.driver.list_objects("tombstones/"))
        self.repository.index.refresh()
        for shard in self.repository.index.shards:
            assert set(shard.pack_ids) <= self.packs()


class Wrapped(RepositoryDriver):
    """A repository seen through another driver, for tests that do something to its calls."""

    Options = MemoryRepository.Options

    def __init__(self, inner: RepositoryDriver) -> None:
        super().__init__(inner.options, name=inner.name, home=inner.home)
        self.inner = inner

    def check(self) -> None:
        self.inner.check()

    @property
    def creates_once(self) -> bool:
        return self.inner.creates_once

    def put(self, key: str, parts: Sequence[Buffer]) -> None:
        self.inner.put(key, parts)

    def put_new(self, key: str, parts: Sequence[Buffer]) -> bool:
        return self.inner.put_new(key, parts)

    def get(self, key: str) -> bytes:
        return self.inner.get(key)

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        return self.inner.get_range(key, offset, length)

    def list_objects(self, prefix: str) -> Iterator[StoredObject]:
        return self.inner.list_objects(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        self.inner.delete(keys)

    def stats(self) -> RepositoryStats:
        return self.inner.stats()


def damages_in(repository: Repository, depth: Depth = Depth.stored) -> list[Damage]:
    """What is wrong with all packs."""
    return [each.damage for each in verify_packs(repository, depth) if each.damage is not None]


def changes(older: Image, newer: Image) -> list[Extent]:
    return older.changed_extents(newer)
