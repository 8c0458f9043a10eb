"""Incrementals: less is read, nothing is trusted blindly; and how a backup ends early."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from backups.engine.backup import BackupProgress, backup
from backups.engine.format import BLOCK_BYTES, PAGE_BLOCKS
from backups.engine.restore import RestoreProgress, restore
from drivers.errors import DriverError
from drivers.units import MIB
from drivers.volume.base import Extent
from drivers.volume.memory_image import Image
from tests.backups.engine.test_at_once import random_image
from tests.backups.engine.vault import Vault, changes, content, reader, writer


def test_only_what_changed_is_read_and_pages_are_shared(vault: Vault) -> None:
    image = Image(3 * PAGE_BLOCKS * BLOCK_BYTES)
    for page in range(3):
        writer(image).write(page * PAGE_BLOCKS * BLOCK_BYTES, bytes([page + 1]) * 300_000)
    full = vault.back_up(image).manifest
    older = image.copy(image.size_bytes)
    writer(image).write(PAGE_BLOCKS * BLOCK_BYTES + 5, b"new")
    result = vault.back_up(image, parent=full.ref, changed=changes(older, image))
    assert result.is_incremental
    assert result.manifest.read_bytes == result.manifest.new_bytes == BLOCK_BYTES
    assert result.manifest.parent_id == full.backup_id
    same = [ours == its for ours, its in zip(result.manifest.pages, full.pages, strict=True)]
    assert same == [True, False, True]
    vault.repository.delete_backup(full.ref)
    vault.collect()
    vault.collect()
    assert content(vault.restored(result.manifest)) == content(image)


@pytest.mark.parametrize("what", ["data", "zeros", "hole"])
def test_changes_that_were_not_told_make_it_a_full_read(vault: Vault, what: str) -> None:
    image = random_image(2) if what != "hole" else Image(2 * MIB)
    full = vault.back_up(image).manifest
    data = bytes(image.size_bytes) if what == "zeros" else b"changed!" * (image.size_bytes // 8)
    writer(image).write(0, data)
    result = vault.back_up(image, parent=full.ref, changed=[Extent(0, 10)])
    assert result.is_distrusted
    assert not result.is_incremental
    assert content(vault.restored(result.manifest)) == content(image)


def test_a_parent_that_is_gone_counts_as_none(vault: Vault) -> None:
    image = random_image(2)
    full = vault.back_up(image).manifest
    vault.repository.delete_backup(full.ref)
    result = vault.back_up(image, parent=full.ref, changed=[])
    assert not result.is_incremental
    assert result.manifest.parent_id is None
    assert content(vault.restored(result.manifest)) == content(image)


def once(act: Callable[[], object]) -> Callable[[BackupProgress], None]:
    """An `on_progress` that acts the first time."""
    acts = [act]

    def on_progress(_: BackupProgress) -> None:
        if acts:
            acts.pop()()

    return on_progress


def test_a_parent_may_rely_on_what_is_to_go(vault: Vault) -> None:
    """It was made while its packs were listed; then another backup must not rely on them, because
    nothing keeps them once the parent is deleted too."""
    image = random_image(2)
    first = vault.back_up(image).manifest

    def list_its_packs() -> None:
        vault.repository.delete_backup(first.ref)
        assert vault.collect().marked_packs > 0

    second = vault.back_up(image, on_progress=once(list_its_packs)).manifest
    assert second.new_bytes == 0

    def delete_the_listed() -> None:
        vault.repository.delete_backup(second.ref)
        assert vault.collect().deleted_packs > 0

    third = vault.back_up(
        image, parent=second.ref, changed=[], on_progress=once(delete_the_listed)
    ).manifest
    vault.repository = vault.reopened()
    assert content(vault.restored(third)) == content(image)
    vault.collect()
    vault.collect()
    vault.require_no_orphans()


def test_a_backup_that_is_there_is_left_as_it_is(vault: Vault) -> None:
    image, volume_id, backup_id = random_image(1), str(uuid4()), str(uuid4())
    first = vault.back_up(image, volume_id=volume_id, backup_id=backup_id)
    writer(image).write(0, b"later")
    again = vault.back_up(image, volume_id=volume_id, backup_id=backup_id)
    assert again.was_there
    assert again.manifest == first.manifest


def test_of_two_calls_for_one_backup_the_quicker_counts(vault: Vault) -> None:
    image, volume_id, backup_id = random_image(1), str(uuid4()), str(uuid4())
    quicker = []

    def be_quicker() -> None:
        quicker.append(vault.back_up(image, volume_id=volume_id, backup_id=backup_id).manifest)

    slower = vault.back_up(
        image, volume_id=volume_id, backup_id=backup_id, on_progress=once(be_quicker)
    )
    assert slower.was_there
    assert [slower.manifest] == quicker
    assert content(vault.restored(slower.manifest)) == content(image)


def test_progress_can_stop_a_backup_and_a_restore(vault: Vault) -> None:
    image = random_image(12)

    class CancelError(Exception):
        pass

    def stop(progress: BackupProgress | RestoreProgress) -> None:
        seen.append(progress)
        if progress.done_bytes >= 4 * MIB:
            raise CancelError

    seen: list[BackupProgress | RestoreProgress] = []
    with pytest.raises(CancelError):
        vault.back_up(image, on_progress=stop)
    assert vault.refs() == []
    assert seen[-1].done_bytes <= 9 * MIB
    vault.collect()
    vault.collect()
    assert vault.packs() == set()
    manifest = vault.back_up(image).manifest
    with pytest.raises(CancelError):
        restore(vault.repository, manifest, writer(Image(image.size_bytes)), on_progress=stop)


def test_progress_ends_with_everything_done(vault: Vault) -> None:
    image = Image(700 * MIB + 5)
    writer(image).write(300 * MIB, bytes(range(256)) * 40000)
    seen: list[BackupProgress | RestoreProgress] = []
    manifest = vault.back_up(image, on_progress=seen.append).manifest
    restore(vault.repository, manifest, writer(Image(image.size_bytes)), on_progress=seen.append)
    for kind in (BackupProgress, RestoreProgress):
        dones = [each.done_bytes for each in seen if isinstance(each, kind)]
        assert dones == sorted(dones)
        assert dones[-1] == image.size_bytes
    assert manifest.read_bytes < 12 * MIB


def test_a_lapsed_session_does_not_commit(vault: Vault) -> None:
    image = random_image(1)
    session = vault.sessions.begin()

    def lapse(_: BackupProgress) -> None:
        session.end()

    with pytest.raises(DriverError, match="lost its hold"):
        backup(
            vault.repository,
            reader(image),
            backup_id=str(uuid4()),
            volume_id=str(uuid4()),
            project_id="p",
            session=session,
            on_progress=lapse,
        )
    assert vault.refs() == []


def test_a_target_keeps_its_holes(vault: Vault) -> None:
    image = Image(20 * MIB)
    writer(image).write(3 * MIB, b"x" * 100)
    manifest = vault.back_up(image).manifest
    for is_blank in (True, False):
        target = Image(30 * MIB)
        if not is_blank:
            writer(target).write(0, b"y" * 30 * MIB)
        restore(vault.repository, manifest, writer(target), target_is_blank=is_blank)
        assert target.blocks == image.blocks
    with pytest.raises(DriverError, match="smaller"):
        restore(vault.repository, manifest, writer(Image(MIB)))
