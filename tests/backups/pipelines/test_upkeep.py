"""Looking whether backups are whole: what is found, whom it hits, and how it heals."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from backups.contents import open_contents, ref_of
from backups.engine.format import BLOCK_BYTES
from backups.known import known_repository
from backups.models import Backup, Damage, Repository
from backups.presence import begin_what_is_due
from backups.services.backups import delete_backup
from backups.services.repositories import collect_repository, scrub_repository
from backups.services.restores import create_volume_from_backup, restore_backup
from backups.services.verification import try_restore, verify_backup
from backups.upkeep import bad_ranges, figures, scrubbing, trials, verifying, windows
from drivers.units import GIB, KIB
from storage_project.operations.models import Message, Operation
from storage_project.operations.run import Run
from storage_project.operations.states import Status, Step
from tests.backups.pipelines.test_backups import FILES, ONE, TWO, again
from tests.crash.accidents import Moment, killed
from tests.operations.consistency import require_consistent
from tests.operations.world import CONTENT, World
from volumes.models import Volume

# All blocks of `CONTENT` are the same one.
LOST = "128 KiB are lost, at 0."

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["memory", "files"])
def world(request: pytest.FixtureRequest, world: World, configure: Callable[[str], None]) -> World:
    if request.param == "files":
        configure(FILES)
    return world


@pytest.fixture
def backup(world: World) -> Backup:
    return world.backup()


def ended(world: World, operation: Operation) -> Operation:
    """The operation, once it has come to its end."""
    world.engine.run()
    return Operation.objects.get(pk=operation.pk)


def verified(world: World, backup: Backup) -> Backup:
    operation = ended(world, verify_backup(backup=again(backup), caller=world.caller))
    assert operation.status == Status.SUCCEEDED, operation.error
    return again(backup)


def scrubbed(world: World) -> dict[str, Any]:
    """What a scrub of `main` has found out."""
    repository = known_repository("main")
    operation = ended(world, scrub_repository(repository=repository, caller=world.caller))
    assert operation.status == Status.SUCCEEDED, operation.error
    assert Repository.objects.get(name="main").status == "available"
    result: dict[str, Any] = operation.notes["result"]
    return result


def restored(world: World, backup: Backup, **values: Any) -> tuple[Volume, Operation]:
    made = create_volume_from_backup(backup=again(backup), caller=world.caller, **values)
    operation = Operation.objects.filter(kind="backup.restore").latest("created_at")
    operation = ended(world, operation)
    return again(made), operation


class TestVerify:
    def test_a_whole_one(self, world: World, backup: Backup) -> None:
        backup = verified(world, backup)
        assert (backup.verification, backup.verification_detail) == ("ok", "")
        assert backup.verified_at is not None
        assert scrubbed(world)["damages"] == 0
        require_consistent()

    def test_a_flipped_bit(self, world: World, backup: Backup) -> None:
        key, whole = world.damage(backup)
        backup = verified(world, backup)
        assert (backup.status, backup.verification) == ("available", "damaged")
        assert backup.verification_detail == LOST
        operation = Operation.objects.get(kind="backup.verify")
        assert operation.notes["result"] == {
            "verification": "damaged",
            "damaged_bytes": len(CONTENT),
            "damaged_count": 1,
            "damaged_ranges": [{"offset": 0, "length": len(CONTENT)}],
        }
        assert key in set(Damage.objects.filter(backups=backup).values_list("key", flat=True))
        message = Message.objects.get()
        assert (message.code, message.project_id) == ("damaged", backup.project_id)
        assert message.resource_id == backup.pk
        # Put back as it was, it is as it was.
        open_contents("main").driver.put(key, [whole])
        assert verified(world, backup).verification == "ok"
        assert not Damage.objects.filter(backups=backup, healed_at=None).exists()
        assert scrubbed(world)["damages"] == 0
        assert not Damage.objects.filter(healed_at=None).exists()

    def test_one_whose_manifest_is_lost(self, world: World, backup: Backup) -> None:
        key = ref_of(backup).key
        driver = open_contents("main").driver
        whole = driver.get(key)
        driver.put(key, [whole[:-1]])
        backup = verified(world, backup)
        assert backup.verification_detail == "The manifest of the backup is damaged."
        driver.delete([key])
        backup = verified(world, backup)
        assert backup.verification_detail == "The backup is not in the repository."
        assert Damage.objects.get().key == key

    def test_goes_on_where_a_killed_worker_was(self, world: World) -> None:
        volume = world.volume()
        for page in range(4):
            world.write(volume, ONE, offset=page * 256 * 1024 * KIB)
        backup = world.backup(volume)
        looked_at: list[range] = []

        def look(repository: Any, manifest: Any, *, pages: range, **more: Any) -> list[Any]:
            looked_at.append(pages)
            if len(looked_at) == 3:
                operation = Operation.objects.get(kind="backup.verify")
                assert operation.notes["pages_done"] == 2
                raise OSError("killed")
            return []

        with (
            patch.object(verifying, "verify_backup", look),
            patch.object(verifying, "PAGES_AT_ONCE", 1),
            killed("backup.verify", Step.PROVISION, Moment.AFTER, surely=False),
        ):
            verify_backup(backup=backup, caller=world.caller)
            world.engine.look()
        # An error that it should not raise ends it; what was noted before is kept all the same.
        assert looked_at == [range(1), range(1, 2), range(2, 3)]
        run = Run(Operation.objects.get(kind="backup.verify"), Backup.objects.all())
        manifest = open_contents("main").read_manifest(ref_of(backup))
        assert next(windows.windows(manifest, run, 1)) == range(2, 3)

    def test_can_be_cancelled_at_work(self, world: World, backup: Backup) -> None:
        operation = verify_backup(backup=backup, caller=world.caller)
        look = verifying.verify_backup

        def look_when_cancelled(*arguments: Any, on_progress: Any, **more: Any) -> Any:
            def tell(progress: Any) -> None:
                runs[0].cancel_requested = True  # as the heartbeat sees it
                on_progress(progress)

            return look(*arguments, on_progress=tell, **more)

        runs: list[Run] = []
        verify = verifying.verify

        def noted(row: Backup, run: Run) -> None:
            runs.append(run)
            verify(row, run)

        with (
            patch.object(verifying, "verify_backup", look_when_cancelled),
            patch.object(verifying, "verify", noted),
        ):
            assert ended(world, operation).status == Status.CANCELLED
        assert again(backup).verification == ""
        require_consistent()

    def test_is_ended_by_a_delete(self, world: World, backup: Backup) -> None:
        operation = verify_backup(backup=backup, caller=world.caller)
        delete_backup(backup=backup, caller=world.caller)
        assert ended(world, operation).status == Status.CANCELLED
        assert not Backup.objects.exists()
        require_consistent()


class TestTest:
    def test_leaves_a_report(self, world: World, backup: Backup) -> None:
        operation = ended(world, try_restore(backup=backup, caller=world.caller))
        backup = again(backup)
        report = backup.test_report
        assert backup.tested_at is not None
        assert (report["result"], report["bytes"]) == ("ok", GIB)
        assert report["duration_s"] > 0
        assert report["bytes_per_s"] > 0
        assert backup.verification == "ok"
        assert report.items() <= operation.notes["result"].items()
        require_consistent()

    def test_finds_damage(self, world: World, backup: Backup) -> None:
        world.damage(backup)
        ended(world, try_restore(backup=backup, caller=world.caller))
        backup = again(backup)
        assert backup.test_report["result"] == "damaged"
        assert backup.test_report["detail"] == LOST
        assert backup.verification == "damaged"
        require_consistent()

    def test_finds_a_disk_that_forgets(self, world: World, backup: Backup) -> None:
        forget = trials._Scratch.forget_cached

        def spoil(scratch: Any) -> None:
            scratch.write(5, b"!")
            forget(scratch)

        with patch.object(trials._Scratch, "forget_cached", spoil):
            ended(world, try_restore(backup=backup, caller=world.caller))
        report = again(backup).test_report
        assert (report["result"], report["detail"]) == ("failed", trials.ANOTHER)
        assert again(backup).verification == "ok"

    def test_needs_little_room(self, world: World, backup: Backup) -> None:
        """What has been compared is a hole again."""
        used: list[int] = []
        clear = trials._Scratch.clear

        def look(scratch: Any, pages: range) -> None:
            clear(scratch, pages)
            used.append(sum(extent.length for extent in scratch.data_extents()))

        with patch.object(trials._Scratch, "clear", look):
            ended(world, try_restore(backup=backup, caller=world.caller))
        assert set(used) == {0}

    def test_where_there_is_no_room(self, world: World, backup: Backup) -> None:
        with patch.object(trials, "KEPT_FREE", 1 << 60):
            operation = ended(world, try_restore(backup=backup, caller=world.caller))
        assert operation.status == Status.FAILED
        assert "too little space in its home folder" in operation.error
        assert again(backup).test_report == {}
        require_consistent()

    def test_what_a_killed_worker_left_goes(self, world: World, backup: Backup) -> None:
        folder = trials.scratch_folder()
        folder.mkdir(parents=True, exist_ok=True)
        operation = try_restore(backup=backup, caller=world.caller)
        ours, others = folder / str(operation.pk), folder / str(backup.pk)
        ours.touch()
        others.touch()
        trials.forget_scratches()
        assert [*folder.iterdir()] == [ours]
        ended(world, operation)
        require_consistent()


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


@pytest.mark.parametrize("world", ["memory"], indirect=True)
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


class TestAMissingIndex:
    """Whoever meets it makes it anew, and goes on."""

    @pytest.fixture(params=["gone", "damaged"])
    def backup(self, request: pytest.FixtureRequest, backup: Backup) -> Backup:
        contents = open_contents("main")
        for stored in [*contents.driver.list_objects("index/")]:
            if request.param == "gone":
                contents.driver.delete([stored.key])
            else:
                contents.driver.put(stored.key, [contents.driver.get(stored.key)[:-1] + b"!"])
                for path in contents.index.folder().iterdir():
                    path.unlink()
        open_contents.cache_clear()  # as in a process that begins
        return backup

    def test_a_restore(self, world: World, backup: Backup) -> None:
        volume, operation = restored(world, backup)
        assert operation.status == Status.SUCCEEDED, operation.error
        assert world.read(volume, len(CONTENT)) == CONTENT
        require_consistent()

    def test_a_restore_that_would_skip_what_is_lost(self, world: World, backup: Backup) -> None:
        volume, operation = restored(world, backup, skip_damaged=True)
        assert "result" not in operation.notes
        assert world.read(volume, len(CONTENT)) == CONTENT

    def test_verifying(self, world: World, backup: Backup) -> None:
        assert verified(world, backup).verification == "ok"

    def test_a_scrub(self, world: World, backup: Backup) -> None:
        result = scrubbed(world)
        assert (result["damages"], result["mended"]) == (0, 1)
        assert not Damage.objects.exists()

    def test_a_collection(self, world: World, backup: Backup) -> None:
        repository = known_repository("main")
        operation = ended(world, collect_repository(repository=repository, caller=world.caller))
        assert operation.status == Status.SUCCEEDED, operation.error
        assert verified(world, backup).verification == "ok"


class TestRestorePastDamage:
    @pytest.fixture
    def volume(self, world: World) -> Volume:
        volume = world.volume()
        world.write(volume, TWO)
        world.write(volume, ONE, offset=GIB - len(ONE))
        return volume

    def test_without_it_the_sentence_names_it(self, world: World, volume: Volume) -> None:
        backup = world.backup(volume)
        world.damage(backup)
        made, operation = restored(world, backup)
        assert (operation.status, operation.error_code) == (Status.FAILED, "damaged")
        assert "With skip_damaged, a restore goes on past what is lost" in operation.error
        assert again(made).status == "error_restoring"
        assert again(backup).status == "available"
        require_consistent()

    def test_tells_exactly_where_it_reads_as_zeros(self, world: World, volume: Volume) -> None:
        backup = world.backup(volume)
        world.damage(backup)
        world.write(volume, b"old" * 1000, offset=5)
        restore_backup(backup=backup, volume=again(volume), caller=world.caller, skip_damaged=True)
        operation = ended(world, Operation.objects.get(kind="backup.restore"))
        assert operation.notes["result"] == {
            "damaged_bytes": BLOCK_BYTES,
            "damaged_count": 1,
            "damaged_ranges": [{"offset": 0, "length": BLOCK_BYTES}],
        }
        assert again(volume).status == "available"
        assert world.read(volume, BLOCK_BYTES) == bytes(BLOCK_BYTES)
        assert world.read(volume, len(ONE), offset=GIB - len(ONE)) == ONE
        message = Message.objects.get(resource_id=volume.pk)
        assert (message.code, message.level) == ("damaged", "WARNING")
        assert "64 KiB are lost, at 0." in message.sentence
        require_consistent()

    def test_of_many_ranges_the_first_are_named(self) -> None:
        known = bad_ranges.no_bad_ranges()
        extents = [bad_ranges.Extent(each * 10, 4) for each in range(1500)]
        bad_ranges.add_bad_ranges(known, extents)
        assert (known["damaged_count"], known["damaged_bytes"]) == (1500, 6000)
        assert len(known["damaged_ranges"]) == 1000
        assert bad_ranges.sentence_of(known) == (
            "5.9 KiB in 1,500 ranges are lost, the first at 0."
        )


class TestFigures:
    def test_tell_what_there_is(self, world: World, backup: Backup) -> None:
        world.backup(Volume.objects.get())
        figures.measure_if_due("main")
        row = Repository.objects.get()
        assert (row.backups, row.logical_bytes) == (2, 2 * GIB)
        assert row.unique_bytes is not None
        assert row.stored_bytes is not None
        assert 0 < row.stored_bytes < row.unique_bytes < GIB
        assert (row.encrypted, len(row.repository_id)) == (False, 32)
        assert row.measured_at is not None

    def test_are_taken_when_something_has_changed(self, world: World, backup: Backup) -> None:
        rows = Repository.objects.filter(name="main")
        figures.measure_if_due("main")
        world.backup(Volume.objects.get())
        assert rows.get().outdated
        figures.measure_if_due("main")
        assert rows.get().backups == 1  # not so soon
        rows.update(measured_at=Now() - figures.SOONEST)
        figures.measure_if_due("main")
        assert (rows.get().backups, rows.get().outdated) == (2, False)
        rows.update(measured_at=Now() - figures.SOONEST, backups=0)
        figures.measure_if_due("main")
        assert rows.get().backups == 0  # nothing has changed
        rows.update(measured_at=Now() - figures.LATEST)
        figures.measure_if_due("main")
        assert rows.get().backups == 2


class TestWhatIsDue:
    def test_begins_once(self, world: World, backup: Backup, settings: Any) -> None:
        begin_what_is_due("main")
        assert not Operation.objects.filter(kind__startswith="repository.").exists()
        Repository.objects.update(
            scrub_after=Now() - timedelta(seconds=1), collect_after=Now() - timedelta(seconds=1)
        )
        begin_what_is_due("main")
        begin_what_is_due("main")
        scrub = Operation.objects.get(kind__startswith="repository.")
        assert (scrub.kind, scrub.project_id) == ("repository.scrub", "")
        world.engine.run()
        begin_what_is_due("main")
        world.engine.run()
        begin_what_is_due("main")
        kinds = Operation.objects.filter(kind__startswith="repository.").order_by("created_at")
        assert [each.kind for each in kinds] == ["repository.scrub", "repository.collect"]
        row = Repository.objects.get()
        assert row.scrubbed_at is not None
        assert row.collected_at is not None
        require_consistent()

    def test_what_cannot_be_collected_is_left_alone_for_a_day(
        self, world: World, backup: Backup
    ) -> None:
        key, _ = world.damage(backup)
        open_contents("main").driver.delete([key])
        Repository.objects.update(collect_after=Now() - timedelta(seconds=1))
        begin_what_is_due("main")
        world.engine.run()
        assert Operation.objects.get(kind="repository.collect").status == Status.FAILED
        assert "delete the backups that a verification names" in Message.objects.get().sentence
        row = Repository.objects.get()
        assert row.collect_after > timezone.now() + timedelta(hours=23)
        assert row.status == "available"

    def test_no_scrub_where_it_is_switched_off(
        self, world: World, backup: Backup, settings: Any
    ) -> None:
        settings.SCRUB_DAYS = 0
        Repository.objects.update(scrub_after=Now() - timedelta(seconds=1))
        begin_what_is_due("main")
        assert not Operation.objects.filter(kind="repository.scrub").exists()


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
