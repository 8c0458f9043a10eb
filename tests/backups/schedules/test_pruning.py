"""Retention at work, on backups that there are: what no rule wants goes, and nothing else."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from backups.models import Backup, Schedule
from backups.services import pruning
from backups.services.backups import delete_backup, force_delete_backup, update_backup
from backups.services.pruning import plan_volumes, prune_in_turn
from backups.services.schedules import update_schedule
from storage_project.api.faults import BadRequest
from storage_project.operations.flow import StateConflict
from storage_project.operations.models import Operation
from tests.backups.schedules.conftest import Night, again
from tests.factories import BackupFactory, ScheduleFactory
from tests.operations.consistency import require_consistent
from tests.operations.threads import at_once
from tests.operations.world import World
from volumes.models import Volume
from volumes.services.volumes import delete_volume

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)
FOREVER_S = 60.0


@pytest.fixture
def volume(world: World) -> Volume:
    return world.volume()


def age_by(age: timedelta) -> None:
    """Let all backups be so much older."""
    for backup in Backup.objects.all():
        assert backup.data_timestamp is not None
        Backup.objects.filter(pk=backup.pk).update(data_timestamp=backup.data_timestamp - age)


def end_round(schedule: Schedule) -> None:
    """Let the next round of retention be due, and do it."""
    Schedule.objects.filter(pk=schedule.pk).update(pruned_at=timezone.now() - pruning.ROUND)
    prune_in_turn(FOREVER_S)


def test_days_and_weeks_of_real_backups(night: Night, volume: Volume) -> None:
    schedule = night.schedule(incremental=True, keep_daily=3, keep_weekly=2)
    thursday = datetime(2026, 1, 1, 2, 30, tzinfo=UTC)
    for number in range(20):
        night.pass_by(schedule)
        latest = Backup.objects.latest("created_at")
        Backup.objects.filter(pk=latest.pk).update(data_timestamp=thursday + number * DAY)
    end_round(schedule)
    night.world.engine.run()
    kept = Backup.objects.order_by("-data_timestamp").values_list("data_timestamp", flat=True)
    days = [f"{moment:%a %d}" for moment in kept if moment]
    assert days == ["Tue 20", "Mon 19", "Sun 18", "Sun 11", "Sun 04"]
    require_consistent()


def test_only_what_the_schedule_has_made(night: Night, volume: Volume) -> None:
    by_hand = night.world.backup(volume, name="by hand")
    other = night.schedule(name="other")
    night.pass_by(other)
    schedule = night.schedule(keep_last=1)
    for _ in range(3):
        night.pass_by(schedule)
    left = Backup.objects.exclude(schedule_id=schedule.pk)
    assert {each.schedule_id for each in left} == {None, other.pk}
    assert by_hand in left
    assert Backup.objects.filter(schedule_id=schedule.pk).count() == 1


def test_without_a_rule_everything_is_kept(night: Night, volume: Volume) -> None:
    schedule = night.schedule()
    for _ in range(3):
        night.pass_by(schedule)
    end_round(schedule)
    assert Backup.objects.filter(status="available").count() == 3


def test_what_is_protected_survives_and_counts_for_nothing(night: Night, volume: Volume) -> None:
    schedule = night.schedule(keep_last=1)
    night.pass_by(schedule)
    treasure = update_backup(backup=Backup.objects.get(), protected=True)
    for _ in range(3):
        night.pass_by(schedule)
    assert treasure in Backup.objects.all()
    assert Backup.objects.count() == 2
    [plan] = plan_volumes(schedule, [volume.pk])
    assert [(each.keep, each.reason) for each in plan.backups] == [
        (True, "last 1 of 1"),
        (True, "it is protected"),
    ]
    update_backup(backup=treasure, protected=False)
    end_round(schedule)
    night.world.engine.run()
    assert treasure not in Backup.objects.all()


def test_nobody_deletes_what_is_protected(night: Night, volume: Volume) -> None:
    backup = update_backup(backup=night.world.backup(volume), protected=True)
    for delete in (delete_backup, force_delete_backup):
        with pytest.raises(BadRequest, match="is protected, and cannot be deleted"):
            delete(backup=backup, caller=night.world.caller)
    update_backup(backup=backup, protected=False)
    delete_backup(backup=backup, caller=night.world.caller)
    with pytest.raises(StateConflict, match="deleting"):
        update_backup(backup=backup, protected=True)
    update_backup(backup=backup, name="still has one")


def test_the_age_limit_leaves_the_newest(night: Night, volume: Volume) -> None:
    schedule = night.schedule(max_age_days=7)
    for _ in range(3):
        night.pass_by(schedule)
    age_by(30 * DAY)
    end_round(schedule)
    night.world.engine.run()
    [plan] = plan_volumes(schedule, [volume.pk])
    assert [each.reason for each in plan.backups] == ["too old, but the newest there is"]


def test_a_volume_that_is_gone_keeps_its_backups(night: Night, volume: Volume) -> None:
    schedule = night.schedule(keep_daily=2)
    for _ in range(3):
        night.pass_by(schedule)
        age_by(DAY)
    delete_volume(volume=again(volume), caller=night.world.caller)
    night.world.engine.run()
    age_by(300 * DAY)
    end_round(schedule)
    night.world.engine.run()
    assert Backup.objects.filter(status="available").count() == 2


def test_a_disabled_schedule_deletes_nothing(night: Night, volume: Volume) -> None:
    schedule = night.schedule()
    for _ in range(2):
        night.pass_by(schedule)
    update_schedule(schedule=schedule, enabled=False, keep_last=1)
    end_round(schedule)
    assert not Operation.objects.filter(kind="backup.delete").exists()


def test_a_delete_that_failed_is_tried_again(night: Night, volume: Volume) -> None:
    schedule = night.schedule(keep_last=2)
    for _ in range(2):
        night.pass_by(schedule)
    stuck = Backup.objects.order_by("data_timestamp")[0]
    Backup.objects.filter(pk=stuck.pk).update(status="error_deleting", fail_reason="It was away.")
    end_round(schedule)
    night.world.engine.run()
    assert stuck not in Backup.objects.all()
    assert Backup.objects.count() == 1


def test_what_cannot_be_deleted_now_holds_up_nothing(night: Night, volume: Volume) -> None:
    """Something else works on one of them, so its delete is refused."""
    schedule = night.schedule()
    for _ in range(3):
        night.pass_by(schedule)
    busy, free, _ = Backup.objects.order_by("data_timestamp")
    work = Operation.objects.filter(resource_id=busy.pk)
    work.update(status="pending", finished_at=None)
    update_schedule(schedule=schedule, keep_last=1)
    end_round(schedule)
    assert (again(busy).status, again(free).status) == ("available", "deleting")
    work.update(status="succeeded", finished_at=timezone.now())
    end_round(schedule)
    assert again(busy).status == "deleting"


def test_rounds_go_on_where_they_were(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "BATCH", 2)
    schedule = ScheduleFactory(keep_last=1)
    for _ in range(5):
        first = BackupFactory(schedule_id=schedule.pk, container="main")
        BackupFactory(schedule_id=schedule.pk, volume_id=first.volume_id, container="main")
    for deleted in range(1, 6):
        prune_in_turn(0)  # no more than one, when there is no time
        assert Backup.objects.filter(status="deleting").count() == deleted
    assert again(schedule).pruned_at is None
    prune_in_turn(0)
    assert again(schedule).pruned_at is not None
    assert again(schedule).pruned_to is None
    prune_in_turn(0)
    assert Operation.objects.filter(kind="backup.delete").count() == 5


def test_two_at_once_delete_each_once(night: Night, volume: Volume) -> None:
    schedule = night.schedule()
    for _ in range(5):
        night.pass_by(schedule)
    update_schedule(schedule=schedule, keep_last=1)
    Schedule.objects.update(pruned_at=None)
    assert at_once(*[lambda: prune_in_turn(FOREVER_S)] * 4) == [None] * 4
    night.world.engine.run()
    assert Operation.objects.filter(kind="backup.delete").count() == 4
    assert Backup.objects.count() == 1
    require_consistent()
