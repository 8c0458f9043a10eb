"""Backups and collectors at once, in one process and in several."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from backups.engine import backup as backup_module
from backups.engine.format import BLOCK_BYTES
from drivers.errors import DriverError, Reason
from drivers.units import MIB
from drivers.volume.memory_image import Image
from tests.backups.engine.vault import Vault, Wrapped, changes, content, memory_driver, writer


def random_image(megabytes: int, seed: int = 0) -> Image:
    image = Image(megabytes * MIB)
    writer(image).write(0, random.Random(seed).randbytes(megabytes * MIB))
    return image


def test_equal_volumes_backed_up_at_once_are_stored_once(vault: Vault) -> None:
    image = random_image(24)
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda _: vault.back_up(image), range(3)))
    assert sum(each.manifest.new_bytes for each in results) == image.size_bytes
    vault.repository = vault.reopened()
    for each in results:
        assert content(vault.restored(each.manifest)) == content(image)
    # Each of them stands alone, whoever stored the blocks.
    for each in results[:2]:
        vault.repository.delete_backup(each.manifest.ref)
    vault.collect()
    vault.collect()
    assert content(vault.restored(results[2].manifest)) == content(image)


class Stuck(Wrapped):
    """Puts no pack of the first that tries until it is told to; then fails."""

    def __init__(self) -> None:
        super().__init__(memory_driver())
        self.victim: int | None = None
        self.reached, self.go_on = threading.Event(), threading.Event()

    def put(self, key: str, parts: object) -> None:
        if key.startswith("packs/") and self.victim is None:
            self.victim = threading.get_ident()
            self.reached.set()
            assert self.go_on.wait(60)
            raise DriverError("The disk is gone.", code=Reason.unavailable)
        self.inner.put(key, parts)


@pytest.mark.parametrize("fails_before", [True, False], ids=["fails", "hangs"])
def test_a_backup_does_not_rely_on_one_that_comes_to_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_before: bool
) -> None:
    monkeypatch.setattr(backup_module, "PROMISE_WAIT_S", 0.0 if not fails_before else 60.0)
    stuck = Stuck()
    vault = Vault(tmp_path, inner_made(stuck, tmp_path))
    image = random_image(3)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(vault.back_up, image)
        assert stuck.reached.wait(60)
        second = pool.submit(vault.back_up, image)
        if fails_before:
            stuck.go_on.set()
        result = second.result(60)
        stuck.go_on.set()
        with pytest.raises(DriverError, match="gone"):
            first.result(60)
    assert content(vault.restored(result.manifest)) == content(image)


def inner_made(stuck: Stuck, cache: Path) -> Stuck:
    stuck.inner = Vault(cache).driver
    return stuck


def test_backups_and_collectors_of_two_processes(tmp_path: Path) -> None:
    """Blocks come from a small set, so that everything is always about to be needed or deleted."""
    first = Vault(tmp_path / "one")
    second = Vault(tmp_path / "two", first.driver, sessions=first.sessions)
    kept: dict[object, Image] = {}
    errors: list[BaseException] = []
    until = time.monotonic() + 8

    def again(act: Callable[[Vault, random.Random], None], vault: Vault, seed: int) -> None:
        dice = random.Random(seed)
        try:
            while time.monotonic() < until and not errors:
                act(vault, dice)
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            errors.append(error)

    def back_up(vault: Vault, dice: random.Random) -> None:
        image, volume_id, parent, last = Image(30 * BLOCK_BYTES), str(uuid4()), None, None
        for _ in range(3):
            for block in dice.sample(range(30), 4):
                writer(image).write(block * BLOCK_BYTES, bytes([dice.randrange(12)]) * BLOCK_BYTES)
            known = changes(last, image) if last and dice.random() < 0.7 else None
            parent = vault.back_up(
                image, volume_id=volume_id, parent=parent, changed=known
            ).manifest.ref
            last = image.copy(image.size_bytes)
            kept[parent] = last
            if dice.random() < 0.6:
                doomed = dice.choice(list(kept))
                if kept.pop(doomed, None):
                    vault.repository.delete_backup(doomed)

    def collect(vault: Vault, dice: random.Random) -> None:
        vault.collect(mostly_dead=dice.choice([0, 0.3, 0.95]))

    threads = [
        threading.Thread(target=again, args=(act, vault, seed))
        for seed, (act, vault) in enumerate(
            [(back_up, first), (back_up, second), (collect, first), (collect, second)]
        )
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    assert len(kept) > 3
    assert set(kept) == set(first.refs())
    for vault in (first, second):
        vault.repository = vault.reopened()
        for ref, image in kept.items():
            assert content(vault.restored(ref)) == content(image)
    first.collect()
    first.collect()
    first.require_no_orphans()
