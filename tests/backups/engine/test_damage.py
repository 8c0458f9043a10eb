"""Damage: each kind is found, named, told in a sentence, and harms nothing else."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from backups.engine.format import BLOCK_BYTES, PAGE_BLOCKS
from backups.engine.frames import FrameReader
from backups.engine.hits import find_hits, objects_behind, verify_map
from backups.engine.keys import Secret
from backups.engine.manifest import BackupRef, Manifest
from backups.engine.packs import pack_id_in
from backups.engine.repository import open_without_key
from backups.engine.restore import restore
from backups.engine.scan import Unreadable, rebuild_index, scan
from backups.engine.tombstones import condemn
from backups.engine.verify import (
    Damage,
    Depth,
    verify_backup,
    verify_objects,
    verify_packs,
    verify_records,
)
from drivers.errors import DriverError, Reason
from drivers.volume.base import Extent
from drivers.volume.memory_image import Image
from tests.backups.engine.test_at_once import random_image
from tests.backups.engine.vault import Vault, content, damages_in, writer


def small_image() -> Image:
    image = Image(12 * BLOCK_BYTES)
    writer(image).write(0, b"text" * 5000)
    writer(image).write(7 * BLOCK_BYTES, bytes(range(256)) * 300)
    return image


def spoil(vault: Vault, key: str, at: int = -1, *, cut: int | None = None) -> bytes:
    """Flip a bit of an object, or cut it; return what it was."""
    data = vault.driver.get(key)
    spoiled = bytearray(data)
    if cut is not None:
        del spoiled[cut:]
    else:
        spoiled[at] ^= 1 << (at % 8)
    vault.driver.put(key, [spoiled])
    return data


def keys_under(vault: Vault, prefix: str) -> list[str]:
    return [stored.key for stored in vault.driver.list_objects(prefix)]


def damaged_keys(vault: Vault, depth: Depth = Depth.stored) -> Iterator[str]:
    try:
        repository = open_without_key(vault.driver, cache=vault.cache)
    except DriverError as error:
        if error.code == Reason.corrupt:
            yield "config"
        return
    if depth is Depth.content:
        repository = vault.reopened()
    damages = verify_records(repository)
    if not any(damage.key.startswith("index/") for damage in damages):
        damages += damages_in(repository, depth)
    yield from (damage.key for damage in damages)


def test_every_flipped_bit_is_found_without_the_key(any_vault: Vault) -> None:
    vault = any_vault
    vault.back_up(small_image())
    doomed = vault.back_up(random_image(1)).manifest
    vault.repository.delete_backup(doomed.ref)
    vault.collect()  # so that there is a list of packs to delete too
    assert list(damaged_keys(vault)) == []
    for stored in list(vault.driver.list_objects("")):
        step = max(1, stored.size_bytes // 60)
        for at in [*range(0, stored.size_bytes, step), stored.size_bytes - 1]:
            whole = spoil(vault, stored.key, at)
            assert list(damaged_keys(vault)) == [stored.key], at
            vault.driver.put(stored.key, [whole])
        for length in (0, 1, stored.size_bytes // 2, stored.size_bytes - 1):
            whole = spoil(vault, stored.key, cut=length)
            assert list(damaged_keys(vault)) == [stored.key], length
            vault.driver.put(stored.key, [whole])


def test_content_is_looked_at_more_closely(any_vault: Vault) -> None:
    any_vault.back_up(small_image())
    any_vault.back_up(small_image(), project_id="another")
    assert list(damaged_keys(any_vault, Depth.content)) == []
    looked_at = list(verify_packs(any_vault.repository, Depth.content))
    assert len(looked_at) == len(any_vault.packs())


def test_whoever_stops_goes_on_behind_the_pack_that_was_last(vault: Vault) -> None:
    for seed in range(4):
        vault.back_up(random_image(1, seed))
    seen, after = [], None
    while pack := next(verify_packs(vault.repository, Depth.stored, after=after), None):
        seen.append(pack.position)
        after = pack.position
    assert len(seen) == len(vault.packs())
    assert seen == sorted(seen)


def pack_with_blocks(vault: Vault, manifest: Manifest) -> tuple[str, int]:
    """(key, place) of the first block of a backup."""
    page = vault.repository.read_page(manifest.pages[0], manifest.project_id, FrameReader())
    place = vault.repository.index.find(page[:32])
    assert place is not None
    key = next(k for k in keys_under(vault, "packs/") if k.endswith(place.pack_id.hex()))
    return key, place.offset


def hit_by(vault: Vault, *damages: Damage) -> dict[BackupRef, list[Extent]]:
    hits = find_hits(vault.repository, damages)
    return {hit.ref: hit.extents for hit in hits if hit.keys == {each.key for each in damages}}


def test_a_damaged_block_names_its_backups_and_a_restore_goes_on(any_vault: Vault) -> None:
    vault = any_vault
    image, other = small_image(), random_image(1)
    one, two = vault.back_up(image).manifest, vault.back_up(image).manifest
    untouched = vault.back_up(other).manifest
    key, at = pack_with_blocks(vault, one)
    spoil(vault, key, at)
    (damage,) = damages_in(vault.repository)
    bad = [Extent(0, BLOCK_BYTES)]
    assert hit_by(vault, damage) == {one.ref: bad, two.ref: bad}
    assert verify_backup(vault.repository, one) == bad
    assert verify_backup(vault.repository, untouched) == []
    assert content(vault.restored(untouched)) == content(other)
    with pytest.raises(DriverError, match="damaged") as caught:
        vault.restored(one)
    assert caught.value.code == Reason.corrupt
    target = Image(image.size_bytes)
    writer(target).write(5, b"old")
    assert restore(vault.repository, one, writer(target), skip_damaged=True) == bad
    expected = image.copy(image.size_bytes)
    writer(expected).write_zeros(0, BLOCK_BYTES)
    assert content(target) == content(expected)


def test_what_is_damaged_is_stored_again_by_the_next_backup(any_vault: Vault) -> None:
    """Also by one that reads only what has changed; and then the damaged pack goes."""
    vault = any_vault
    image = small_image()
    one = vault.back_up(image, volume_id=str(UUID(int=1))).manifest
    key, at = pack_with_blocks(vault, one)
    spoil(vault, key, at)
    damages = damages_in(vault.repository)
    assert objects_behind(vault.repository, one, verify_backup(vault.repository, one)) == {key}
    condemn(vault.driver, vault.sessions, frozenset([pack_id_in(key)]))
    assert hit_by(vault, *damages) == {one.ref: [Extent(0, BLOCK_BYTES)]}
    two = vault.back_up(image, volume_id=str(UUID(int=1)), parent=one.ref, changed=[]).manifest
    assert hit_by(vault, *damages) == {}
    assert verify_backup(vault.repository, one) == verify_backup(vault.repository, two) == []
    assert content(vault.restored(one)) == content(image)
    vault.collect()
    assert verify_objects(vault.repository, [key]) == []
    assert content(vault.restored(two)) == content(image)


def test_what_is_made_and_deleted_meanwhile_is_not_taken_for_damaged(vault: Vault) -> None:
    doomed = [vault.back_up(random_image(1, seed)).manifest for seed in range(4)]
    other, made = Vault(vault.cache, vault.driver, sessions=vault.sessions), []

    def go_on() -> None:
        if not made:
            made.append(other.back_up(random_image(2, 7)))
            for manifest in doomed:
                other.repository.delete_backup(manifest.ref)
            other.collect()
            other.collect()

    assert list(find_hits(vault.repository, tick=go_on)) == []
    assert verify_map(vault.repository, made[0].manifest) == []


def test_part_of_a_backup_can_be_looked_at(vault: Vault) -> None:
    image = Image(2 * PAGE_BLOCKS * BLOCK_BYTES + 70000)
    for page in range(3):
        writer(image).write(page * PAGE_BLOCKS * BLOCK_BYTES, f"page {page}".encode())
    manifest = vault.back_up(image).manifest
    told: list[int] = []
    target = Image(image.size_bytes)
    restore(
        vault.repository,
        manifest,
        writer(target),
        target_is_blank=True,
        pages=range(1, 2),
        on_progress=lambda progress: told.append(progress.done_bytes),
    )
    assert told[-1] == 2 * PAGE_BLOCKS * BLOCK_BYTES
    expected = Image(image.size_bytes)
    writer(expected).write(PAGE_BLOCKS * BLOCK_BYTES, b"page 1")
    assert content(target) == content(expected)


def test_an_index_is_rebuilt_while_somebody_publishes(vault: Vault) -> None:
    """What a backup publishes while the packs are read stays known."""
    vault.back_up(small_image())
    made: list[Manifest] = []

    def back_up_meanwhile() -> None:
        if not made:
            made.append(vault.back_up(random_image(2)).manifest)

    rebuild_index(vault.reopened(), tick=back_up_meanwhile)
    assert verify_map(vault.reopened(), made[0]) == []


def test_a_missing_pack_and_a_cut_one(any_vault: Vault) -> None:
    vault = any_vault
    manifest = vault.back_up(small_image(), threads=1).manifest
    key, _ = pack_with_blocks(vault, manifest)
    whole = vault.driver.get(key)
    bad = [Extent(0, BLOCK_BYTES), Extent(7 * BLOCK_BYTES, 2 * BLOCK_BYTES)]
    for cut in (0, 70, len(whole) // 2):
        spoil(vault, key, cut=cut)
        with pytest.raises(DriverError) as caught:
            vault.restored(manifest)
        assert caught.value.code == Reason.corrupt
        (damage,) = damages_in(vault.repository)
        # What lies before the cut can still be read.
        lost = verify_backup(vault.repository, manifest)
        assert hit_by(vault, damage) == {manifest.ref: lost}
        assert lost == bad or cut > 70
        vault.driver.put(key, [whole])
    assert verify_map(vault.repository, manifest) == []
    vault.driver.delete([key])
    assert verify_map(vault.repository, manifest) == bad
    with pytest.raises(DriverError, match="missing"):
        vault.restored(manifest)
    with pytest.raises(DriverError, match="block that the index"):
        vault.collect()
    # What is missing is stored again.
    again = vault.back_up(small_image()).manifest
    assert content(vault.restored(again)) == content(small_image())
    assert content(vault.restored(manifest)) == content(small_image())


def test_a_missing_index_is_rebuilt_without_the_key(any_vault: Vault) -> None:
    vault = any_vault
    images = [small_image(), random_image(2)]
    manifests = [vault.back_up(image).manifest for image in images]
    vault.driver.delete(keys_under(vault, "index/"))
    vault.repository = vault.reopened()
    with pytest.raises(DriverError, match="Rebuild the index") as caught:
        vault.restored(manifests[0])
    assert caught.value.code == Reason.corrupt
    with pytest.raises(DriverError, match="Rebuild the index"):
        vault.collect()
    result = rebuild_index(open_without_key(vault.driver, cache=vault.cache))
    assert (result.packs, result.unreadable) == (len(vault.packs()), [])
    for image, manifest in zip(images, manifests, strict=True):
        assert content(vault.restored(manifest)) == content(image)


def test_a_damaged_index_is_rebuilt(vault: Vault) -> None:
    manifest = vault.back_up(small_image()).manifest
    for key in keys_under(vault, "index/"):
        spoil(vault, key, 100)
    cache = vault.cache / "another"
    fresh = Vault(cache, vault.driver)
    with pytest.raises(DriverError, match="index is damaged"):
        fresh.restored(manifest)
    rebuild_index(fresh.repository)
    assert content(fresh.restored(manifest)) == content(small_image())


def test_a_damaged_cache_is_fetched_again(vault: Vault) -> None:
    manifest = vault.back_up(small_image()).manifest
    for path in itertools.chain(vault.cache.rglob("*")):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-1] + b"!")
    vault.repository = vault.reopened()
    assert content(vault.restored(manifest)) == content(small_image())


def test_a_damaged_manifest_hides_no_other(any_vault: Vault) -> None:
    vault = any_vault
    image = small_image()
    manifests = [vault.back_up(image, metadata={"name": str(n)}).manifest for n in range(3)]
    spoil(vault, manifests[1].ref.key, 60)
    found = {each.ref: each for each in scan(vault.repository)}
    assert isinstance(found.pop(manifests[1].ref), Unreadable)
    assert [found[m.ref] for m in (manifests[0], manifests[2])] == [manifests[0], manifests[2]]
    with pytest.raises(DriverError, match="manifest"):
        vault.collect()  # what it needs is not known: nothing may be freed


def test_a_damaged_page_is_a_bad_run(vault: Vault) -> None:
    image = Image(PAGE_BLOCKS * BLOCK_BYTES + 70000)
    writer(image).write(10, b"first page")
    writer(image).write(PAGE_BLOCKS * BLOCK_BYTES, b"second page")
    manifest = vault.back_up(image).manifest
    place = vault.repository.index.find(manifest.pages[1])
    assert place is not None
    key = next(k for k in keys_under(vault, "packs/") if k.endswith(place.pack_id.hex()))
    spoil(vault, key, place.offset)
    bad = [Extent(PAGE_BLOCKS * BLOCK_BYTES, 70000)]
    assert verify_backup(vault.repository, manifest) == bad
    (damage,) = damages_in(vault.repository)
    assert hit_by(vault, damage) == {manifest.ref: bad}


def test_an_encrypted_backup_cannot_be_put_in_place_of_another(tmp_path: Path) -> None:
    vault = Vault(tmp_path, secrets=[Secret.key_file(bytes(range(32)))])
    one, two = (vault.back_up(small_image()).manifest.ref for _ in range(2))
    vault.driver.put(one.key, [vault.driver.get(two.key)])
    with pytest.raises(DriverError, match="forged"):
        vault.repository.read_manifest(one)


def test_an_index_may_name_what_is_gone(vault: Vault) -> None:
    """As after two merges that did not know of each other: then the block is stored again."""
    image = random_image(1)
    manifest = vault.back_up(image).manifest
    stale = {key: vault.driver.get(key) for key in keys_under(vault, "index/")}
    vault.repository.delete_backup(manifest.ref)
    vault.collect()
    vault.collect()
    assert vault.packs() == set()
    for key, data in stale.items():
        vault.driver.put(key, [data])
    again = vault.back_up(image).manifest
    assert again.new_bytes == image.size_bytes
    vault.collect()
    vault.collect()
    vault.repository = vault.reopened()
    assert content(vault.restored(again)) == content(image)
