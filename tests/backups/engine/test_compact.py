"""Compacting: what is left of packs that are mostly dead moves, and is never missing meanwhile."""

from datetime import timedelta

from backups.engine.format import BLOCK_BYTES
from backups.engine.verify import Depth, verify_records
from drivers.volume.memory_image import Image
from tests.backups.engine.test_at_once import random_image
from tests.backups.engine.test_damage import keys_under, spoil
from tests.backups.engine.vault import Vault, content, damages_in


def stored_bytes(vault: Vault) -> int:
    return sum(stored.size_bytes for stored in vault.driver.list_objects("packs/"))


def mostly_dead(vault: Vault) -> tuple[Image, object]:
    """A backup of which little is left: of another that had the same pack only two blocks stay."""
    image = random_image(4)
    whole = vault.back_up(image, threads=1).manifest
    rest = Image(image.size_bytes)
    rest.blocks = {number: image.blocks[number] for number in (3, 40)}
    kept = vault.back_up(rest, threads=1).manifest
    assert kept.new_bytes == 0
    vault.repository.delete_backup(whole.ref)
    return rest, kept


def test_the_space_comes_back(any_vault: Vault) -> None:
    vault = any_vault
    rest, kept = mostly_dead(vault)
    before = stored_bytes(vault)
    restoring = vault.reopened()  # knows the index of before
    restoring.index.refresh()
    assert vault.collect().moved_packs == 1
    assert content(vault.restored(kept)) == content(rest)
    assert vault.collect().deleted_packs >= 1
    assert stored_bytes(vault) < before / 10
    vault.require_no_orphans()
    assert verify_records(vault.repository) == []
    assert damages_in(vault.repository, Depth.content) == []
    assert vault.back_up(rest).manifest.new_bytes == 0
    vault.repository = restoring
    assert content(vault.restored(kept)) == content(rest)


def test_young_packs_and_large_moves_wait(vault: Vault) -> None:
    mostly_dead(vault)
    assert vault.collect(grace=timedelta(hours=1)).moved_packs == 0
    assert vault.collect(move_bytes=BLOCK_BYTES).moved_packs == 0
    assert vault.collect(mostly_dead=0).moved_packs == 0
    assert vault.collect(move_bytes=3 * BLOCK_BYTES).moved_packs == 1


def test_a_damaged_pack_stays(vault: Vault) -> None:
    mostly_dead(vault)
    largest = max(keys_under(vault, "packs/"), key=lambda key: len(vault.driver.get(key)))
    for at in range(100, len(vault.driver.get(largest)), BLOCK_BYTES):
        spoil(vault, largest, at)
    assert vault.collect().moved_packs == 0
    vault.collect()
    assert largest in keys_under(vault, "packs/")
