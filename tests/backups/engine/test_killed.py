"""Killed at every write: what was there stays whole, and the collector finds the rest."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from backups.engine.format import BLOCK_BYTES
from backups.engine.scan import rebuild_index
from drivers.repository.base import Buffer, RepositoryDriver
from drivers.repository.memory import MemoryRepository
from drivers.volume.memory_image import Image
from tests.backups.engine.vault import Vault, Wrapped, changes, content, memory_driver, writer


class Killed(BaseException):
    """The process is gone."""


class Mortal(Wrapped):
    """Dies at its n-th write: before it, or after it was done and nobody was told."""

    def __init__(self, inner: RepositoryDriver, at: int, *, after: bool) -> None:
        super().__init__(inner)
        self.left = at
        self.after = after

    def _maybe_die(self, act: Callable[[], object]) -> object:
        self.left -= 1
        if self.left < 0 or (self.left == 0 and not self.after):
            raise Killed
        result = act()
        if self.left == 0:
            raise Killed
        return result

    def put(self, key: str, parts: Sequence[Buffer]) -> None:
        self._maybe_die(lambda: self.inner.put(key, parts))

    def put_new(self, key: str, parts: Sequence[Buffer]) -> bool:
        return bool(self._maybe_die(lambda: self.inner.put_new(key, parts)))

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._maybe_die(lambda key=key: self.inner.delete([key]))


def killed_at_every_write(
    make: Callable[[], tuple[Vault, Callable[[Vault], object]]], check: Callable[[Vault], None]
) -> int:
    """Run an act killed at its first write, its second, … until it comes through; check each."""
    for number in range(1, 200):
        for after in (False, True):
            vault, act = make()
            mortal = Vault(
                vault.cache, Mortal(vault.driver, number, after=after), sessions=vault.sessions
            )
            try:
                act(mortal)
            except Killed:
                pass
            else:
                return number - 1
            vault.repository = vault.reopened()
            check(vault)
    raise AssertionError("it never comes to an end")


def image_with(*blocks: int, size: int = 40) -> Image:
    image = Image(size * BLOCK_BYTES)
    for block in blocks:
        writer(image).write(block * BLOCK_BYTES, bytes([block % 255 + 1]) * 5000)
    return image


def test_backup(tmp_path: Path) -> None:
    first, second = image_with(1, 2, 3), image_with(2, 3, 4, 9)

    def make() -> tuple[Vault, Callable[[Vault], object]]:
        vault = Vault(tmp_path, memory_copy(prepared.driver))
        return vault, lambda mortal: mortal.back_up(
            second, parent=ref, changed=changes(first, second), backup_id=backup_id, threads=1
        )

    def check(vault: Vault) -> None:
        for each in vault.refs():
            image = first if each == ref else second
            assert content(vault.restored(each)) == content(image)
        assert ref in vault.refs()
        again = vault.back_up(second, parent=ref, backup_id=backup_id, volume_id=volume_id)
        assert content(vault.restored(again.manifest)) == content(second)
        vault.collect()
        vault.collect()
        vault.require_no_orphans()

    prepared = Vault(tmp_path)
    ref = prepared.back_up(first).manifest.ref
    backup_id, volume_id = str(uuid4()), str(uuid4())
    assert killed_at_every_write(make, check) >= 3  # packs, index, manifest


def memory_copy(driver: RepositoryDriver) -> MemoryRepository:
    copy = memory_driver()
    for stored in driver.list_objects(""):
        copy.put(stored.key, [driver.get(stored.key)])
    return copy


@pytest.mark.parametrize("mostly_dead", [0.0, 0.9], ids=["", "compacts"])
@pytest.mark.parametrize("runs", [1, 2])
def test_collect(tmp_path: Path, runs: int, mostly_dead: float) -> None:
    """The first run marks, and moves what is left of packs that are mostly dead; the second
    sweeps."""
    images = [image_with(1, 2, 3), image_with(2, 3, 4), image_with(7)]
    prepared = Vault(tmp_path)
    refs = [prepared.back_up(image).manifest.ref for image in images]
    prepared.repository.delete_backup(refs[0])
    prepared.repository.delete_backup(refs[2])
    for _ in range(runs - 1):
        prepared.collect(mostly_dead=mostly_dead)

    def make() -> tuple[Vault, Callable[[Vault], object]]:
        vault = Vault(tmp_path, memory_copy(prepared.driver))
        return vault, lambda mortal: mortal.collect(mostly_dead=mostly_dead)

    def check(vault: Vault) -> None:
        assert content(vault.restored(refs[1])) == content(images[1])
        late = vault.back_up(images[0]).manifest
        vault.collect()
        vault.collect()
        vault.require_no_orphans()
        for image, ref in ((images[1], refs[1]), (images[0], late.ref)):
            assert content(vault.restored(ref)) == content(image)

    assert killed_at_every_write(make, check) >= 3


def test_rebuild_of_the_index(tmp_path: Path) -> None:
    images = [image_with(1, 2, 3), image_with(2, 3, 4)]
    prepared = Vault(tmp_path)
    refs = [prepared.back_up(image).manifest.ref for image in images]

    def make() -> tuple[Vault, Callable[[Vault], object]]:
        vault = Vault(tmp_path, memory_copy(prepared.driver))
        return vault, lambda mortal: rebuild_index(mortal.repository)

    def check(vault: Vault) -> None:
        for image, ref in zip(images, refs, strict=True):
            assert content(vault.restored(ref)) == content(image)

    assert killed_at_every_write(make, check) >= 2
