"""The index: found whatever its size, merged without a gap, in little memory."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.engine import index as index_module
from backups.engine import storing
from backups.engine.frames import Location
from backups.engine.index import Index
from backups.engine.shard import build_shard, merge_shards, record_of, require_whole
from drivers.errors import DriverError
from tests.backups.engine.test_at_once import random_image
from tests.backups.engine.vault import Vault, content, memory_driver

ENTRIES = st.lists(
    st.tuples(
        st.binary(min_size=2, max_size=2).map(lambda short: short * 16),  # many buckets collide
        st.integers(0, 3).map(lambda number: bytes([number]) * 16),
        st.integers(0, 1 << 30),
        st.integers(1, 1 << 17),
        st.booleans(),
    ).map(lambda each: (each[0], Location(*each[1:]))),
    max_size=300,
)


def places(entries: list[tuple[bytes, Location]], digest: bytes) -> set[Location]:
    return {place for each, place in entries if each == digest}


@given(ones=ENTRIES, others=ENTRIES)
def test_every_entry_is_found_also_after_a_merge(
    tmp_path_factory: pytest.TempPathFactory,
    ones: list[tuple[bytes, Location]],
    others: list[tuple[bytes, Location]],
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    shards = []
    for name, entries in (("ones", ones), ("others", others)):
        records = sorted(record_of(digest, place) for digest, place in entries)
        shards.append(build_shard(folder / name, records, len(records)))
        require_whole(folder / name)
        for digest, _ in entries:
            assert set(shards[-1].find(digest[:16])) == places(entries, digest)
    gone = bytes(16)
    merged = merge_shards(folder / "merged", shards, gone.__eq__)
    both = [each for each in ones + others if each[1].pack_id != gone]
    for digest, _ in ones + others:
        assert set(merged.find(digest[:16])) == places(both, digest)
        assert len(merged.find(digest[:16])) == len(places(both, digest))
    assert not merged.find(b"not there at all")


def test_a_merge_leaves_no_moment_without_an_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "MANY_SHARDS", 6)
    monkeypatch.setattr(index_module, "LEAVE_SHARDS", 2)
    driver, dice = memory_driver(), random.Random(1)
    one, other = Index(driver, tmp_path / "one"), Index(driver, tmp_path / "other")
    known = {}
    for number in range(40):
        digest = dice.randbytes(32)
        known[digest] = Location(bytes([number]) * 16, 64, 100, False)
        writer = one if number % 2 else other
        writer.publish([record_of(digest, known[digest])], 1)
        writer.refresh()
        writer.merge_if_many()
        one.refresh()
        assert all(one.find(each) == place for each, place in known.items())
        assert len(list(driver.list_objects("index/"))) <= 7
    one.drop_packs(lambda pack_id: pack_id[0] < 20)
    other.refresh()
    for digest, place in known.items():
        assert other.find(digest) == (place if place.pack_id[0] >= 20 else None)


def test_a_backup_may_publish_many_shards(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "PUBLISH_BLOCKS", 8)
    monkeypatch.setattr("backups.engine.packs.PACK_BYTES", 200_000)
    monkeypatch.setattr(index_module, "MANY_SHARDS", 5)
    monkeypatch.setattr(index_module, "LEAVE_SHARDS", 2)
    image = random_image(6)
    manifest = vault.back_up(image).manifest
    assert len(list(vault.driver.list_objects("index/"))) <= 7
    assert content(vault.restored(manifest)) == content(image)
    assert vault.back_up(image).manifest.new_bytes == 0


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    index = Index(memory_driver(), tmp_path / "file" / "cache")
    with pytest.raises(DriverError, match="cache"):
        index.publish([record_of(bytes(32), Location(bytes(16), 0, 1, False))], 1)
