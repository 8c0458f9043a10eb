"""Scrubbing: what is found, whom it hits, and how it heals."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from backups.contents import open_contents
from backups.engine.format import BLOCK_BYTES
from backups.known import known_repository
from backups.models import Backup, Damage, Repository
from backups.services.backups import delete_backup
from backups.services.repositories import collect_repository, scrub_repository
from backups.services.verification import try_restore
from backups.upkeep import figures, scrubbing
from storage_project.operations.models import Message
from storage_project.operations.states import Status, Step
from tests.backups.pipelines.test_backups import FILES, TWO, again
from tests.backups.upkeep.asking import LOST, ended, restored, scrubbed, verified
from tests.crash.accidents import Moment, killed
from tests.operations.consistency import require_consistent
from tests.operations.world import CONTENT, World
from volumes.models import Volume

pytestmark = pytest.mark.django_db(transaction=True)


class TestScrub:
    def test_finds_whom_damage_hits(self, world: World, backup: Backup) -> None:
        same = world.backup(Volume.objects.get())
        other = world.volume()
        world.write(other, TWO)
        unhurt = world.backup(other)
        key, _ = world.damage(backup)
        result = scrubbed(world)
        assert (result["damages"], result["backups_hit"], result["healed"]) == (1, 2, 0)
        damage = Damage.objects.get()
        assert damage.key == key
        assert "A block of the backup is damaged" in damage.sentence
        assert set(damage.backups.all()) == {backup, same}
        assert again(backup).verification_detail == LOST
        assert again(unhurt).verification == ""
        told = Message.objects.filter(code="damaged")
        about = {backup.pk, same.pk, Repository.objects.get().pk}
        assert {message.resource_id for message in told} == about
        # Found once more, it is the same, and nobody is told again.
        assert scrubbed(world)["damages"] == 1
        assert told.count() == 3
        require_consistent()

    @pytest.mark.parametrize("incremental", [False, True])
    def test_heals_with_the_next_backup(
        self, world: World, backup: Backup, incremental: bool
    ) -> None:
        key, _ = world.damage(backup)
        scrubbed(world)
        newer = world.backup(Volume.objects.get(), incremental=incremental)
        result = scrubbed(world)
        assert (result["damages"], result["healed"], result["backups_hit"]) == (0, 1, 0)
        assert again(backup).verification == ""
        assert again(backup).verification_detail == "What was damaged of it is whole again."
        for each in (backup, newer):
            assert verified(world, each).verification == "ok"
            volume, _ = restored(world, each)
            assert world.read(volume, len(CONTENT)) == CONTENT
        # The pack is needed for nothing any more.
        damage = Damage.objects.get(key=key)
        assert damage.healed_at is not None
        assert not damage.backups.exists()
        require_consistent()

    def test_a_missing_pack(self, world: World, backup: Backup) -> None:
        key, _ = world.damage(backup)
        open_contents("main").driver.delete([key])
        assert scrubbed(world)["backups_hit"] == 1
        damage = Damage.objects.get()
        assert (damage.key, damage.sentence) == (key, "A pack of the repository is missing.")
        world.backup(Volume.objects.get(), incremental=True)
        assert scrubbed(world)["healed"] == 1

    def test_a_truncated_pack(self, world: World, backup: Backup) -> None:
        key, whole = world.damage(backup)
        open_contents("main").driver.put(key, [whole[: len(whole) // 2]])
        assert scrubbed(world)["backups_hit"] == 1
        assert Damage.objects.get().key == key

    def test_damage_that_hits_nobody(self, world: World, backup: Backup) -> None:
        key, _ = world.damage(backup)
        delete_backup(backup=backup, caller=world.caller)
        world.engine.run()
        result = scrubbed(world)
        assert (result["damages"], result["backups_hit"]) == (0, 0)
        assert Damage.objects.get(key=key).healed_at is not None
        assert not Message.objects.exists()

    def test_a_damaged_list_of_packs_is_deleted(self, world: World, backup: Backup) -> None:
        delete_backup(backup=backup, caller=world.caller)
        world.engine.run()
        repository = known_repository("main")
        ended(world, collect_repository(repository=repository, caller=world.caller))
        driver = open_contents("main").driver
        [stored] = driver.list_objects("tombstones/")
        driver.put(stored.key, [driver.get(stored.key)[:-1] + b"!"])
        assert scrubbed(world)["mended"] == 1
        assert stored.key not in {each.key for each in driver.list_objects("tombstones/")}
        repository.refresh_from_db()
        assert (
            ended(world, collect_repository(repository=repository, caller=world.caller)).status
            == Status.SUCCEEDED
        )

    def test_reads_on_where_the_last_one_ended(self, world: World) -> None:
        for content in (b"a", b"b", b"c"):
            volume = world.volume()
            world.write(volume, content * BLOCK_BYTES)
            world.backup(volume)
        packs = len([*open_contents("main").driver.list_objects("packs/")])
        read: list[int] = []
        repository = Repository.objects.get()
        with patch.object(scrubbing, "LEAST_BYTES", 1):
            while not repository.scrubbed_once_at:
                read.append(scrubbed(world)["packs"])
                repository.refresh_from_db()
                assert len(read) < 20
        assert sum(read) == packs + 1  # having begun anew
        assert set(read) == {1}

    def test_what_was_read_before_a_kill_is_not_read_again(self, world: World) -> None:
        world.backup()
        scrub = scrub_repository(repository=known_repository("main"), caller=world.caller)
        look = scrubbing.verify_packs
        started: list[str | None] = []

        def look_once(*arguments: Any, after: str | None) -> Any:
            started.append(after)
            yield from look(*arguments, after=after)

        with (
            patch.object(scrubbing, "verify_packs", look_once),
            patch.object(scrubbing, "NOTE_EVERY_BYTES", 1),
            killed("repository.scrub", Step.PROVISION, Moment.AFTER),
        ):
            operation = ended(world, scrub)
        assert started == [None]
        assert operation.notes["result"]["packs"] == len(
            [*open_contents("main").driver.list_objects("packs/")]
        )
        require_consistent()


def test_an_encrypted_repository(
    world: World, configure: Callable[[str], None], tmp_path: Path
) -> None:
    """All of it goes through the keys."""
    (tmp_path / "key").write_bytes(bytes(range(64)))
    configure(FILES + 'key_file = "key"\n')
    backup = world.backup()
    ended(world, try_restore(backup=backup, caller=world.caller))
    assert again(backup).test_report["result"] == "ok"
    world.damage(backup)
    assert verified(world, backup).verification == "damaged"
    assert scrubbed(world)["backups_hit"] == 1
    world.backup(Volume.objects.get(), incremental=True)
    assert scrubbed(world)["healed"] >= 1
    assert verified(world, backup).verification == "ok"
    figures.measure_if_due("main")
    assert Repository.objects.get().encrypted
    require_consistent()


def test_each_flipped_byte_is_found(world: World, backup: Backup) -> None:
    """Of every object there is, one byte at a time: the scrub names it, or mends it."""
    contents = open_contents("main")
    objects = [each for each in contents.driver.list_objects("") if each.size_bytes]
    for number, stored in enumerate(objects):
        whole = contents.driver.get(stored.key)
        for at in {number % len(whole), len(whole) // 2, len(whole) - 1}:
            spoiled = bytearray(whole)
            spoiled[at] ^= 1 << (at % 8)
            contents.driver.put(stored.key, [spoiled])
            result = scrubbed(world)
            named = {each.key for each in Damage.objects.filter(healed_at=None)}
            seen = set(Damage.objects.values_list("key", flat=True))
            assert stored.key in seen or result["mended"], (stored.key, at)
            if stored.key.startswith(("packs/", "backups/")):
                lost = verified(world, backup).verification
                assert (lost == "damaged") >= (stored.key in named)
            contents.driver.put(stored.key, [whole])
            for extra in [*contents.driver.list_objects("tombstones/")]:
                contents.driver.delete([extra.key])
            Damage.objects.all().delete()
    assert scrubbed(world)["damages"] == 0
    assert verified(world, backup).verification == "ok"
