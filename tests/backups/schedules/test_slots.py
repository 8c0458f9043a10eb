"""Slots: begun once each, made up for once, over by their window; and what becomes of volumes."""

from datetime import timedelta
from unittest.mock import patch

import pytest
from django.db import transaction
from django.utils import timezone

from backups import contents
from backups.models import Backup, Schedule, ScheduledBackup, ScheduleRun
from backups.schedule_models import FAILED, MISSED, SUCCEEDED, WAITING
from backups.services.backups import delete_backup, force_delete_backup
from backups.services.chores import forget_old_runs
from backups.services.pruning import prune_volumes
from backups.services.scheduled import MOST_FAILURES
from backups.services.schedules import delete_schedule, run_schedule, update_schedule
from backups.services.slots import BATCH, share_of, spread_runs
from drivers.errors import DriverError, Reason
from storage_project.api.faults import Conflict
from storage_project.operations.models import Operation
from storage_project.operations.services import cancel_operation
from tests.backups.schedules.conftest import Night, again
from tests.factories import (
    BackupFactory,
    ScheduleFactory,
    ScheduleRunFactory,
    VolumeFactory,
    VolumeTypeFactory,
)
from tests.operations.consistency import require_consistent
from tests.operations.threads import at_once
from tests.operations.world import World
from volumes.models import Service, Volume
from volumes.services.quotas import set_limits
from volumes.services.volumes import delete_volume

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def notes(run: ScheduleRun) -> list[str]:
    return [each.note for each in run.backups.order_by("volume_id")]


def test_every_volume_of_a_type_is_backed_up_once(night: Night, volumes: list[Volume]) -> None:
    schedule = night.schedule(time_zone="Europe/Berlin")
    run = night.pass_by(schedule)
    night.fire()
    assert (run.status, run.outcomes[SUCCEEDED], sum(run.outcomes.values())) == ("ended", 3, 3)
    backups = Backup.objects.order_by("volume_id")
    assert [each.volume_id for each in backups] == sorted(each.pk for each in volumes)
    assert {each.schedule_id for each in backups} == {schedule.pk}
    assert {each.user_id for each in backups} == {night.world.caller.user_id}
    [name] = {each.name for each in backups}
    assert name.startswith(f"nightly {run.slot:%Y-}")
    assert name.endswith((" CET", " CEST"))
    assert again(schedule).last_slot == run.slot
    assert again(schedule).next_slot > timezone.now()
    require_consistent()


def test_one_volume_and_no_other(night: Night, volumes: list[Volume]) -> None:
    night.pass_by(night.schedule(volume=volumes[1]))
    assert Backup.objects.get().volume_id == volumes[1].pk


def test_all_projects_or_one(night: Night, volumes: list[Volume]) -> None:
    Volume.objects.filter(pk=volumes[0].pk).update(project_id="c" * 32)
    own, all_of_them = night.schedule(), night.schedule(all_projects=True)
    for schedule in (own, all_of_them):
        night.come(schedule)
    night.fire()
    rows = ScheduledBackup.objects
    assert rows.filter(schedule_id=own.pk).count() == 2
    assert rows.filter(schedule_id=all_of_them.pk).count() == 3
    assert Backup.objects.get(volume_id=volumes[0].pk).project_id == "c" * 32


@pytest.mark.parametrize("times", [1, 40])
def test_what_was_missed_is_made_up_for_once(
    night: Night, volumes: list[Volume], times: int
) -> None:
    schedule = night.schedule(cron="*/30 * * * *")
    night.come(schedule, ago=times * 30 * MINUTE)
    night.fire()
    night.world.engine.run()
    night.fire()
    run = ScheduleRun.objects.get()
    assert timezone.now() - run.slot <= 30 * MINUTE
    assert "stands for all" in run.note
    assert run.begins_at > run.slot
    assert Backup.objects.count() == 3


def test_what_is_disabled_is_not_made_up_for(night: Night, volumes: list[Volume]) -> None:
    schedule = night.schedule()
    update_schedule(schedule=schedule, enabled=False)
    assert again(schedule).next_slot is None
    night.fire()
    update_schedule(schedule=schedule, enabled=True)
    assert again(schedule).next_slot > timezone.now()
    night.fire()
    assert not ScheduleRun.objects.exists()


def test_a_window_that_is_over_is_said(night: Night, volumes: list[Volume]) -> None:
    schedule = night.schedule(window_minutes=60)
    night.come(schedule, ago=2 * HOUR)
    night.fire()
    run = ScheduleRun.objects.get()
    assert run.status == MISSED
    assert "before its window ended" in run.note
    assert not Backup.objects.exists()
    assert again(schedule).next_slot > timezone.now()


def test_jitter_spreads_volumes_the_same_way_for_everybody(night: Night, world: World) -> None:
    VolumeFactory.create_batch(40, project_id="b" * 32, volume_type=world.volume_type)
    schedule = night.schedule(jitter_minutes=30, window_minutes=60)
    slot = night.come(schedule)
    night.fire()
    run = ScheduleRun.objects.get()
    waits = [each.begins_at - slot for each in run.backups.all()]
    assert len(waits) == 40
    assert all(timedelta() <= wait <= 30 * MINUTE for wait in waits)
    assert max(waits) - min(waits) > 20 * MINUTE
    for each in run.backups.all():
        assert each.begins_at == run.begins_at + share_of(30 * MINUTE, run, each.volume_id)
    # What makes up for it later is spread from then on, as far as the window goes.
    late = night.come(schedule, ago=45 * MINUTE)
    night.fire()
    run = ScheduleRun.objects.get(slot=late)
    now = timezone.now()
    begins = [each.begins_at for each in run.backups.all()]
    assert all(now - MINUTE <= begin <= late + HOUR for begin in begins)
    assert max(begins) - min(begins) > 10 * MINUTE


def test_a_volume_that_cannot_be_backed_up_does_not_hold_up_others(
    night: Night, volumes: list[Volume]
) -> None:
    Volume.objects.filter(pk=volumes[1].pk).update(status="error")
    run = night.pass_by(night.schedule())
    assert run.status == "running"
    assert Backup.objects.count() == 2
    refused = run.backups.get(volume_id=volumes[1].pk)
    assert (refused.status, refused.tries) == (WAITING, 1)
    assert "its status is error, and must be available or in-use" in refused.note
    assert refused.begins_at > timezone.now()
    # Within the window it is tried again.
    Volume.objects.filter(pk=volumes[1].pk).update(status="available")
    night.pass_pauses()
    night.fire()
    night.world.engine.run()
    night.fire()
    assert again(run).outcomes[SUCCEEDED] == 3
    assert again(refused).note == ""


def test_a_volume_in_use_without_force(night: Night, volumes: list[Volume]) -> None:
    Volume.objects.filter(pk=volumes[0].pk).update(status="in-use")
    run = night.pass_by(night.schedule(volume=volumes[0], force=False))
    assert "Say force" in run.backups.get().note


@pytest.mark.parametrize(
    ("trouble", "sentence"), [("quota", "exceeded"), ("repository", "No repository takes backups")]
)
def test_why_is_kept_when_the_window_ends(
    night: Night, volumes: list[Volume], trouble: str, sentence: str
) -> None:
    if trouble == "quota":
        set_limits(project_id=volumes[0].project_id, limits={"backups": 0})
    else:
        Service.objects.filter(binary="cinder-backup").update(enabled=False)
    run = night.pass_by(night.schedule())
    assert all(sentence in note for note in notes(run))
    ScheduleRun.objects.update(ends_at=timezone.now())
    night.pass_pauses()
    night.fire()
    assert again(run).status == "ended"
    assert again(run).outcomes[MISSED] == 3
    assert all(note.startswith("Its window was over: ") and sentence in note for note in notes(run))


@pytest.mark.parametrize(("late", "outcome"), [(MINUTE / 2, "running"), (2 * MINUTE, MISSED)])
def test_the_last_moment_of_a_window_counts(
    night: Night, volumes: list[Volume], late: timedelta, outcome: str
) -> None:
    night.come(night.schedule(volume=volumes[0], jitter_minutes=60, window_minutes=60))
    night.fire()
    now = timezone.now()
    ScheduleRun.objects.update(ends_at=now - late)
    ScheduledBackup.objects.update(begins_at=now - late)
    night.fire()
    assert ScheduledBackup.objects.get().status == outcome


def test_a_volume_that_goes_meanwhile(night: Night, volumes: list[Volume]) -> None:
    night.come(schedule := night.schedule(jitter_minutes=30))
    night.fire()
    delete_volume(volume=again(volumes[0]), caller=night.world.caller)
    night.world.engine.run()
    night.pass_pauses()
    night.fire()
    row = ScheduledBackup.objects.get(schedule_id=schedule.pk, volume_id=volumes[0].pk)
    assert (row.status, row.note) == (MISSED, "The volume has been deleted.")


def test_a_schedule_whose_volume_is_gone_disables_itself(
    night: Night, volumes: list[Volume]
) -> None:
    schedule = night.schedule(volume=volumes[0])
    night.pass_by(schedule)
    delete_volume(volume=again(volumes[0]), caller=night.world.caller)
    night.world.engine.run()
    run = night.pass_by(schedule)
    assert not again(schedule).enabled
    assert again(schedule).disabled_reason == f"Its volume {volumes[0].pk} has been deleted."
    assert again(schedule).next_slot is None
    assert (run.status, run.note) == ("ended", again(schedule).disabled_reason)
    assert Backup.objects.count() == 1


def test_a_schedule_whose_type_is_gone_disables_itself(night: Night) -> None:
    gold = VolumeTypeFactory()
    schedule = night.schedule(volume_type=gold)
    gold.delete()
    run = night.pass_by(schedule)
    assert again(schedule).disabled_reason == "Its volume type has been deleted." == run.note


def test_a_type_without_volumes_has_slots_with_nothing_to_do(night: Night) -> None:
    run = night.pass_by(schedule := night.schedule())
    assert (run.status, sum(run.outcomes.values())) == ("ended", 0)
    assert again(schedule).enabled


def test_incremental_and_now_and_then_full(night: Night, volumes: list[Volume]) -> None:
    schedule = night.schedule(volume=volumes[0], incremental=True, full_every=3)
    for _ in range(7):
        night.pass_by(schedule)
    made = Backup.objects.order_by("created_at")
    assert [each.is_incremental for each in made] == [False, True, True, False, True, True, False]


def test_a_backup_that_fails_is_made_again(night: Night, volumes: list[Volume]) -> None:
    schedule = night.schedule(volume=volumes[0])
    night.come(schedule)
    night.fire()
    failed = Backup.objects.get()
    Operation.objects.filter(resource_id=failed.pk).update(
        status="failed", finished_at=timezone.now()
    )
    Backup.objects.update(status="error", fail_reason="The repository is away.")
    Volume.objects.filter(pk=volumes[0].pk).update(status="available")
    night.fire()
    row = ScheduledBackup.objects.get()
    assert (row.status, row.note, row.failures) == (WAITING, "The repository is away.", 1)
    night.pass_pauses()
    night.fire()
    night.world.engine.run()
    night.fire()
    assert again(row).status == SUCCEEDED
    # What has failed is gone.
    assert Backup.objects.get().pk == again(row).backup_id != failed.pk


def test_a_backup_that_is_cancelled_is_not(night: Night, volumes: list[Volume]) -> None:
    night.come(night.schedule(volume=volumes[0]))
    night.fire()
    cancel_operation(operation=Operation.objects.get(kind="backup.create"))
    night.world.engine.run()
    night.fire()
    row = ScheduledBackup.objects.get()
    assert row.status == FAILED
    assert "cancelled" in row.note
    assert ScheduleRun.objects.get().outcomes[FAILED] == 1


def test_a_backup_that_is_deleted_at_once_was_made(night: Night, volumes: list[Volume]) -> None:
    night.come(night.schedule(volume=volumes[0]))
    night.fire()
    night.world.engine.run()
    delete_backup(backup=Backup.objects.get(), caller=night.world.caller)
    night.world.engine.run()
    night.fire()
    assert ScheduledBackup.objects.get().status == SUCCEEDED


def test_a_backup_that_goes_while_it_is_made_was_not(night: Night, volumes: list[Volume]) -> None:
    night.come(night.schedule(volume=volumes[0]))
    night.fire()
    force_delete_backup(backup=Backup.objects.get(), caller=night.world.caller)
    night.world.engine.run()
    night.fire()
    assert ScheduledBackup.objects.get().status == FAILED


def test_backups_that_fail_again_and_again(night: Night, volumes: list[Volume]) -> None:
    night.come(night.schedule(volume=volumes[0]))
    failing = patch.object(contents, "store", side_effect=DriverError("No.", code=Reason.failed))
    with failing:
        for _ in range(MOST_FAILURES):
            night.pass_pauses()
            night.fire()
            night.world.engine.run()
            night.fire()
    row = ScheduledBackup.objects.get()
    assert (row.status, row.failures) == (FAILED, MOST_FAILURES)
    assert "No." in row.note
    # The last of them stays, for people to see.
    assert Backup.objects.get().status == "error"


def test_run_now_is_a_slot_of_its_own(night: Night, volumes: list[Volume]) -> None:
    schedule = night.schedule(jitter_minutes=60)
    update_schedule(schedule=schedule, enabled=False)
    run = run_schedule(schedule=again(schedule))
    with pytest.raises(Conflict, match="has not ended yet"):
        run_schedule(schedule=schedule)
    night.fire()
    night.world.engine.run()
    night.fire()
    assert again(run).is_extra
    assert again(run).outcomes[SUCCEEDED] == 3
    assert again(schedule).last_slot is None


def test_what_is_disabled_half_way_stops(night: Night, volumes: list[Volume]) -> None:
    schedule = night.schedule(jitter_minutes=60)
    night.come(schedule)
    night.fire()
    update_schedule(schedule=schedule, enabled=False)
    night.pass_pauses()
    night.fire()
    assert ScheduleRun.objects.get().outcomes[MISSED] >= 2
    assert Backup.objects.count() <= 1


def test_what_it_has_made_outlives_a_schedule(night: Night, volumes: list[Volume]) -> None:
    schedule = night.schedule(keep_last=1)
    night.pass_by(schedule)
    delete_schedule(schedule=schedule)
    night.fire()
    assert {each.schedule_id for each in Backup.objects.all()} == {schedule.pk}
    assert forget_old_runs() == 4
    assert not ScheduleRun.objects.exists()


def test_the_last_run_is_remembered(db: None) -> None:
    long_ago = timezone.now() - 500 * DAY
    schedule = ScheduleFactory(last_slot=long_ago)
    kept = ScheduleRunFactory(schedule_id=schedule.pk, slot=long_ago, finished_at=long_ago)
    ScheduleRunFactory(schedule_id=schedule.pk, slot=long_ago - DAY, finished_at=long_ago)
    young = ScheduleRunFactory(schedule_id=schedule.pk)
    assert forget_old_runs() == 1
    assert {*ScheduleRun.objects.all()} == {kept, young}


def test_a_time_zone_that_is_gone_stops_nothing_else(night: Night, volumes: list[Volume]) -> None:
    lost, other = night.schedule(keep_last=1), night.schedule()
    Schedule.objects.filter(pk=lost.pk).update(time_zone="Mars/Olympus")
    BackupFactory(schedule_id=lost.pk)
    prune_volumes(again(lost), [Backup.objects.get().volume_id], until=0)
    Backup.objects.all().delete()
    night.come(lost)
    night.pass_by(other)
    assert "Mars/Olympus" in again(lost).disabled_reason
    assert Backup.objects.count() == 3


def test_more_volumes_than_one_transaction_takes(night: Night, world: World) -> None:
    VolumeFactory.create_batch(
        BATCH + 5, project_id="b" * 32, volume_type=world.volume_type, status="error", pool=None
    )
    night.come(night.schedule(jitter_minutes=60))
    night.fire()
    run = ScheduleRun.objects.get()
    assert (run.is_spread, run.backups.count()) == (False, BATCH)
    spread_runs()
    assert (again(run).is_spread, run.backups.count()) == (True, BATCH + 5)


def test_dispatchers_at_once(night: Night, volumes: list[Volume]) -> None:
    schedule = night.schedule()
    for _ in range(3):
        night.come(schedule)
        for outcome in at_once(*[night.fire] * 4):
            assert outcome is None
        night.world.engine.run()
        at_once(*[night.fire] * 4)
    runs = ScheduleRun.objects.filter(schedule_id=schedule.pk)
    assert [run.outcomes[SUCCEEDED] for run in runs] == [3, 3, 3]
    assert Backup.objects.count() == 9
    assert Operation.objects.filter(kind="backup.create").count() == 9
    require_consistent()


@pytest.mark.parametrize("moment", ["before it commits", "after"])
def test_who_is_killed_has_done_all_or_nothing(
    night: Night, volumes: list[Volume], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """A dispatcher dies at its first transaction, the next one at its second, and so on."""

    class Died(BaseException):
        """As by kill -9: nothing handles it."""

    leave = transaction.Atomic.__exit__
    deaths = ended = 0

    def die(self: transaction.Atomic, *error: object) -> None:
        nonlocal ended
        ended += 1
        if ended != deaths + 1:
            leave(self, *error)
            return
        if moment == "after":
            leave(self, *error)
        else:
            leave(self, Died, Died(), None)
        raise Died

    slot = night.come(night.schedule())
    while True:
        ended = 0
        with monkeypatch.context() as patch:
            patch.setattr(transaction.Atomic, "__exit__", die)
            try:
                night.fire()
                break
            except Died:
                deaths += 1
    assert deaths >= 3
    night.fire()
    night.world.engine.run()
    night.fire()
    assert ScheduleRun.objects.get(slot=slot).outcomes[SUCCEEDED] == 3
    assert Backup.objects.count() == 3
    require_consistent()
