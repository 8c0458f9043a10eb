"""What backups hold, what they leave behind, and how the service tells of them."""

from collections.abc import Callable
from datetime import timedelta
from unittest.mock import patch

import pytest
from django.utils import timezone

from backups import contents
from backups.known import known_repository
from backups.models import Backup, Session
from backups.pipelines import create_backup
from backups.services.backups import create_backup as ask_for_backup
from backups.services.backups import delete_backup, force_delete_backup
from backups.services.repositories import collect_repository
from backups.services.restores import create_volume_from_backup, restore_backup
from drivers.units import GIB, KIB, MIB
from storage_project.operations.models import Message, Operation, Transition
from storage_project.operations.services import cancel_operation
from storage_project.operations.states import Status, Step
from tests.crash.accidents import Moment, killed
from tests.factories import PoolFactory
from tests.operations.consistency import require_consistent
from tests.operations.world import CONTENT, World
from volumes.backends import open_backend
from volumes.models import Service, Snapshot, Volume
from volumes.pools import placed
from volumes.services.snapshots import create_snapshot
from volumes.services.volumes import delete_volume, force_delete_volume

pytestmark = pytest.mark.django_db(transaction=True)

ONE, TWO = b"one " * (16 * KIB), b"two " * (16 * KIB)
# Kept in files, and read by whoever comes.
FILES = """
[backends.one]
driver = "file"
exports = ["file"]
path = "one"
[backends.two]
driver = "file"
exports = ["file"]
path = "two"
[repositories.main]
driver = "directory"
path = "backups"
"""


def again(row: Volume | Backup) -> Volume | Backup:
    """The row as it is now."""
    return type(row)._default_manager.get(pk=row.pk)


@pytest.fixture(params=["memory", "files"])
def volume(
    request: pytest.FixtureRequest, world: World, configure: Callable[[str], None]
) -> Volume:
    if request.param == "files":
        configure(FILES)
    made = world.volume()
    world.write(made, ONE)
    world.write(made, ONE, offset=GIB - len(ONE))
    return made


def test_comes_back_as_it_was(world: World, volume: Volume) -> None:
    backup = world.backup(volume)
    assert (backup.status, backup.fail_reason) == ("available", None)
    assert backup.read_bytes >= 2 * len(ONE)
    assert backup.read_bytes + backup.skipped_bytes == GIB
    assert backup.transferred_bytes > 0
    assert backup.object_count > 0
    world.write(volume, TWO)
    world.write(volume, TWO, offset=MIB)
    restore_backup(backup=backup, volume=again(volume), caller=world.caller)
    world.engine.run()
    assert world.read(volume, len(ONE)) == ONE
    assert world.read(volume, len(TWO), offset=MIB) == bytes(len(TWO))
    assert world.read(volume, len(ONE), offset=GIB - len(ONE)) == ONE
    assert (again(volume).status, again(backup).status) == ("available", "available")
    require_consistent()


def test_into_a_larger_volume(world: World, volume: Volume) -> None:
    backup = world.backup(volume)
    made = create_volume_from_backup(backup=backup, caller=world.caller, size_gib=2)
    world.engine.run()
    made = again(made)
    assert (made.status, made.size_gib) == ("available", 2)
    assert world.read(made, len(ONE)) == ONE
    assert world.read(made, MIB, offset=2 * GIB - MIB) == bytes(MIB)
    require_consistent()


def test_an_incremental_one_reads_what_has_changed(world: World, volume: Volume) -> None:
    first = world.backup(volume)
    world.write(volume, TWO)
    second = world.backup(again(volume), incremental=True)
    assert second.parent_id == first.pk
    if open_backend(placed(again(volume)).backend).capabilities.changed_extents:
        assert again(volume).base_snapshot_id == second.pk
        assert second.read_bytes < first.read_bytes
    else:
        assert again(volume).base_snapshot_id is None
    # What it was compared with may go.
    delete_backup(backup=first, caller=world.caller)
    world.engine.run()
    made = create_volume_from_backup(backup=second, caller=world.caller)
    world.engine.run()
    assert world.read(again(made), len(TWO)) == TWO
    assert world.read(again(made), len(ONE), offset=GIB - len(ONE)) == ONE
    require_consistent()


def test_of_a_snapshot_holds_what_the_snapshot_does(world: World, volume: Volume) -> None:
    snapshot = create_snapshot(volume=volume, caller=world.caller)
    world.engine.run()
    world.write(volume, TWO)
    backup = world.backup(again(volume), snapshot=snapshot)
    assert backup.data_timestamp == snapshot.created_at
    assert Snapshot.objects.get().status == "available"
    made = create_volume_from_backup(backup=backup, caller=world.caller)
    world.engine.run()
    assert world.read(again(made), len(ONE)) == ONE
    require_consistent()


def test_of_one_that_is_written_to_holds_one_moment(world: World) -> None:
    volume = world.attached().volume
    world.write(volume, ONE)
    ask_for_backup(volume=volume, caller=world.caller, force=True)
    store = contents.store

    def store_while_written(*arguments: object) -> object:
        world.write(volume, TWO)
        return store(*arguments)

    with patch.object(create_backup.contents, "store", store_while_written):
        world.engine.run()
    backup = Backup.objects.get()
    assert again(volume).status == "in-use"
    made = create_volume_from_backup(backup=backup, caller=world.caller)
    world.engine.run()
    assert world.read(again(made), len(ONE)) == ONE
    require_consistent()


def test_a_volume_takes_its_snapshot_along(world: World) -> None:
    backup = world.backup()
    volume = Volume.objects.get()
    assert volume.base_snapshot_id == backup.pk
    delete_volume(volume=volume, caller=world.caller)
    world.engine.run()
    require_consistent()
    made = create_volume_from_backup(backup=again(backup), caller=world.caller)
    world.engine.run()
    assert again(made).status == "available"


def test_a_backup_takes_the_snapshot_along(world: World) -> None:
    backup = world.backup()
    delete_backup(backup=backup, caller=world.caller)
    world.engine.run()
    assert Volume.objects.get().base_snapshot_id is None
    require_consistent()


def test_a_cancelled_one_leaves_nothing(world: World) -> None:
    volume = world.volume()
    world.write(volume, ONE)
    ask_for_backup(volume=volume, caller=world.caller)
    store = contents.store

    def store_when_cancelled(
        backup: Backup, reader: object, changed: object, run: object
    ) -> object:
        cancel_operation(operation=Operation.objects.get(kind="backup.create"))
        run.cancel_requested = True  # as the heartbeat sees it
        return store(backup, reader, changed, run)

    with patch.object(create_backup.contents, "store", store_when_cancelled):
        world.engine.run()
    backup = Backup.objects.get()
    assert (backup.status, again(volume).status) == ("error", "available")
    assert "cancelled" in backup.fail_reason
    assert [*contents.open_contents("main").list_refs()] == []
    require_consistent()


def test_a_forced_delete_stops_what_makes_it(world: World) -> None:
    backup = ask_for_backup(volume=world.volume(), caller=world.caller)
    with killed("backup.create", Step.PROVISION, Moment.AFTER):
        world.engine.look()
    force_delete_backup(backup=backup, caller=world.caller)
    world.engine.run()
    assert not Backup.objects.exists()
    assert Volume.objects.get().status == "available"
    require_consistent()


@pytest.mark.parametrize("kind", ["backup.create", "backup.restore"])
def test_a_forced_delete_of_the_volume_stops_it(world: World, kind: str) -> None:
    backup = world.backup()
    volume = Volume.objects.get()
    if kind == "backup.create":
        backup = ask_for_backup(volume=volume, caller=world.caller)
    else:
        restore_backup(backup=backup, volume=volume, caller=world.caller)
    with killed(kind, Step.PROVISION, Moment.AFTER):
        world.engine.look()
    force_delete_volume(volume=volume, caller=world.caller)
    world.engine.run()
    assert not Volume.objects.exists()
    operation = Operation.objects.filter(kind=kind).latest("created_at")
    assert operation.status == Status.CANCELLED
    ended = "error" if kind == "backup.create" else "available"
    assert again(backup).status == ended
    require_consistent()


def test_a_restore_given_up_before_its_volume_is_made(world: World) -> None:
    """Nobody gets a blank volume for one that was restored."""
    backup = world.backup()
    made = create_volume_from_backup(backup=backup, caller=world.caller)
    cancel_operation(operation=Operation.objects.get(kind="backup.restore"))
    world.engine.run()
    assert again(made).status == "error_restoring"
    assert again(backup).status == "available"
    require_consistent()


def test_a_restore_whose_volume_cannot_be_made(world: World) -> None:
    backup = world.backup()
    made = create_volume_from_backup(backup=backup, caller=world.caller)
    Service.objects.filter(binary="cinder-volume").update(enabled=False)
    world.engine.run()
    assert again(made).status == "error"
    assert again(backup).status == "available"
    require_consistent()


def test_a_restore_whose_volume_is_cancelled(world: World) -> None:
    """That is one request to whoever made it."""
    backup = world.backup()
    made = create_volume_from_backup(backup=backup, caller=world.caller)
    cancel_operation(operation=Operation.objects.get(kind="volume.create", resource_id=made.pk))
    world.engine.run()
    assert again(made).status == "error"
    assert again(backup).status == "available"
    assert Operation.objects.get(kind="backup.restore").status == Status.CANCELLED
    require_consistent()


def test_one_that_the_repository_has_lost(world: World) -> None:
    backup = world.backup()
    contents.forget(backup)
    volume = Volume.objects.get()
    restore_backup(backup=backup, volume=volume, caller=world.caller)
    world.engine.run()
    assert (again(volume).status, world.read(volume, len(CONTENT))) == ("available", CONTENT)
    message = Message.objects.get()
    assert message.code == "repository_failed"
    assert "main: The backup is not in the repository." in message.sentence


def test_a_backend_that_does_not_know_what_has_changed(world: World) -> None:
    """Then everything is read, and the history says so."""
    backup = world.backup()
    volume = Volume.objects.get()
    world.write(volume, TWO)
    driver = open_backend(placed(volume).backend)
    with patch.object(driver, "changed_extents", lambda *_, **__: []):
        second = world.backup(volume, incremental=True)
    assert second.read_bytes >= backup.read_bytes
    move = Transition.objects.get(resource_id=second.pk, became="available")
    assert move.note == create_backup.DISTRUSTED
    made = create_volume_from_backup(backup=second, caller=world.caller)
    world.engine.run()
    assert world.read(again(made), len(TWO)) == TWO


def test_what_a_disabled_repository_has_can_be_restored_and_deleted(world: World) -> None:
    backup = world.backup()
    Service.objects.filter(binary="cinder-backup").update(enabled=False)
    made = create_volume_from_backup(backup=backup, caller=world.caller)
    world.engine.run()
    assert again(made).status == "available"
    delete_backup(backup=again(backup), caller=world.caller)
    world.engine.run()
    assert not Backup.objects.exists()
    require_consistent()


def test_a_machine_that_does_not_reach_the_repository(world: World) -> None:
    backup = ask_for_backup(volume=world.volume(), caller=world.caller)
    Service.objects.filter(binary="cinder-backup").delete()
    world.engine.run()
    assert (again(backup).status, Volume.objects.get().status) == ("error", "available")
    assert Message.objects.get().code == "no_repository"
    require_consistent()


def test_a_restore_goes_to_a_machine_that_reaches_the_repository(world: World) -> None:
    backup = world.backup()
    PoolFactory(service__host="other@fast", name="better", backend="fast", preference=100)
    made = create_volume_from_backup(backup=backup, caller=world.caller)
    world.engine.run()
    assert again(made).status == "available"
    assert placed(again(made)).name != "better"

    Service.objects.filter(binary="cinder-backup").update(host="third@main")
    made = create_volume_from_backup(backup=again(backup), caller=world.caller)
    world.engine.run()
    assert (again(made).status, again(backup).status) == ("error", "available")
    told = Message.objects.get(resource_id=made.pk).sentence
    assert "other@fast#better does not reach the repository main of the backup" in told


def test_what_no_backup_needs_is_freed(world: World) -> None:
    kept = world.backup()
    volume = Volume.objects.get()
    world.write(volume, TWO, offset=MIB)
    superfluous = world.backup(volume)
    delete_backup(backup=superfluous, caller=world.caller)
    world.engine.run()
    collect_repository(repository=known_repository("main"), caller=world.caller)
    world.engine.run()
    operation = Operation.objects.get(kind="repository.collect")
    assert operation.notes["result"]["marked_packs"] > 0
    made = create_volume_from_backup(backup=kept, caller=world.caller)
    world.engine.run()
    assert world.read(again(made), len(CONTENT)) == CONTENT


def test_the_session_of_a_worker_that_died_lapses(world: World) -> None:
    volume = world.volume()
    ask_for_backup(volume=volume, caller=world.caller)
    seen: list[int | None] = []
    store = contents.store

    def look_at_sessions(*arguments: object) -> object:
        result = store(*arguments)
        seen.append(contents.LeasedSessions("main").oldest_live_epoch())
        return result

    with patch.object(create_backup.contents, "store", look_at_sessions):
        world.engine.run()
    operation = Operation.objects.get(kind="backup.create")
    Session.objects.create(repository="main", epoch=0, operation=operation, fence=operation.fence)
    sessions = contents.LeasedSessions("main")
    assert (seen, sessions.oldest_live_epoch()) == ([None], None)
    Operation.objects.update(
        status=Status.RUNNING, lease_until=timezone.now() + timedelta(minutes=1)
    )
    assert sessions.oldest_live_epoch() == 0
    Operation.objects.update(fence=operation.fence + 1)
    assert sessions.oldest_live_epoch() is None
    sessions.forget_lapsed()
    assert not Session.objects.exists()
