"""The pages of schedules: how their slots went, what is kept and why, and what can be done."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backups.models import Backup, Schedule, ScheduledBackup, ScheduleRun
from tests.factories import (
    BackupFactory,
    ScheduleFactory,
    ScheduleRunFactory,
    VolumeTypeFactory,
)

pytestmark = pytest.mark.django_db

SCHEDULES = "/admin/backups/schedule/"
BACKUPS = "/admin/backups/backup/"
DAY = timedelta(days=1)


def look(console: Client, row: Any) -> str:
    address = f"/admin/backups/{row._meta.model_name}/{row.pk}/change/"
    response = console.get(address)
    assert response.status_code == 200
    return str(response.content.decode())


def act(console: Client, address: str, action: str, row: Any) -> str:
    chosen = {"action": action, "_selected_action": row.pk, "confirmed": "1"}
    return str(console.post(address, chosen, follow=True).content.decode())


def test_the_page_tells_of_runs_and_of_the_plan(console: Client) -> None:
    schedule = ScheduleFactory(keep_last=1, keep_daily=7, incremental=True, full_every=30)
    run = ScheduleRunFactory(schedule_id=schedule.pk)
    ScheduledBackup.objects.create(
        run=run,
        schedule_id=schedule.pk,
        volume_id=schedule.volume_id,
        begins_at=run.slot,
        note="The quota is used up.",
    )
    ScheduleRunFactory(
        schedule_id=schedule.pk,
        slot=run.slot - DAY,
        status="missed",
        note="Nobody could begin it.",
        finished_at=run.slot,
    )
    mine = {"schedule_id": schedule.pk, "volume_id": schedule.volume_id}
    BackupFactory(name="the newest", **mine)
    BackupFactory(name="a doomed one", data_timestamp=timezone.now() - timedelta(seconds=1), **mine)
    page = look(console, schedule)
    assert "1 last, 7 daily" in page
    assert "every 30th of them full" in page
    assert "1 waiting" in page
    assert "Nobody could begin it." in page
    assert page.index("the newest") < page.index("last 1 of 1")
    assert page.index("a doomed one") < page.index("no rule wants it")
    assert str(run.pk) in page
    assert "The quota is used up." in look(console, run)
    assert (
        "The quota is used up." in console.get("/admin/backups/scheduledbackup/").content.decode()
    )


def test_the_list_tells_what_is_covered(console: Client) -> None:
    gold = VolumeTypeFactory(name="gold").pk
    every = {"volume_id": None, "volume_type_id": gold, "all_projects": True}
    ScheduleFactory(enabled=False, disabled_reason="It is gone.", **every)
    ScheduleFactory(cron="5 4 * * sun", time_zone="Asia/Ho_Chi_Minh")
    page = console.get(SCHEDULES).content.decode()
    assert "gold" in page
    assert "of all projects" in page
    assert '<span class="badge bad">disabled</span>' in page
    assert "5 4 * * sun" in page
    assert "Asia/Ho_Chi_Minh" in page


def test_enable_disable_run_delete(console: Client) -> None:
    schedule = ScheduleFactory()
    assert "Disable: " in act(console, SCHEDULES, "disable", schedule)
    assert Schedule.objects.get().next_slot is None
    assert ">Enable</button>" in look(console, schedule)
    act(console, SCHEDULES, "enable", schedule)
    assert Schedule.objects.get().next_slot is not None
    act(console, SCHEDULES, "run_now", schedule)
    assert ScheduleRun.objects.get().is_extra
    act(console, SCHEDULES, "delete", schedule)
    assert not Schedule.objects.exists()


def test_a_protected_backup(console: Client) -> None:
    backup = BackupFactory(schedule_id=ScheduleFactory(name="nightly").pk)
    assert ">Stop protecting</button>" not in look(console, backup)
    act(console, BACKUPS, "protect", backup)
    page = look(console, backup)
    assert '<span class="badge good">protected</span>' in page
    assert ">Force delete</button>" not in page
    assert "nightly" in page
    assert "is protected, and cannot be deleted" in act(console, BACKUPS, "force_delete", backup)
    act(console, BACKUPS, "stop_protecting", backup)
    assert not Backup.objects.get().protected
