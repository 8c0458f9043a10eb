"""Schedules over volumes that are there, and a dispatcher that does its chores when told."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from backups.models import Schedule, ScheduledBackup, ScheduleRun
from backups.services.chores import fire_schedules, follow_schedules
from backups.services.schedules import create_schedule
from tests.operations.world import World
from volumes.models import Volume
from volumes.services.quotas import set_limits

# Long from now, so that only the slots come that a test asks for.
RARELY = "0 0 1 1 *"


@dataclass
class Night:
    """What a schedule's dispatcher and workers do, one thing after another."""

    world: World

    def schedule(self, **values: Any) -> Schedule:
        """One over all volumes of the project, unless it is said."""
        if "volume" not in values:
            values = {"volume_type": self.world.volume_type} | values
        return create_schedule(
            caller=self.world.caller, **{"name": "nightly", "cron": RARELY} | values
        )

    def come(self, schedule: Schedule, *, ago: timedelta = timedelta()) -> datetime:
        """Let the next slot be now, or have been a while ago; return it."""
        slot = timezone.now() - ago
        Schedule.objects.filter(pk=schedule.pk).update(next_slot=slot)
        return slot

    def fire(self) -> None:
        """What each dispatcher does every second."""
        fire_schedules()
        follow_schedules()

    def pass_pauses(self) -> None:
        """Let what waits be due."""
        ScheduledBackup.objects.filter(status="waiting").update(begins_at=timezone.now())

    def pass_by(self, schedule: Schedule) -> ScheduleRun:
        """A slot comes, and all its backups end."""
        slot = self.come(schedule)
        self.fire()
        self.world.engine.run()
        self.fire()
        self.world.engine.run()  # what retention has deleted
        return ScheduleRun.objects.get(schedule_id=schedule.pk, slot=slot)


@pytest.fixture
def night(world: World) -> Night:
    assert world.caller.project_id is not None
    set_limits(project_id=world.caller.project_id, limits={"backups": -1, "backup_gigabytes": -1})
    return Night(world)


@pytest.fixture
def volumes(world: World) -> list[Volume]:
    """Three that are there."""
    return [world.volume() for _ in range(3)]


def again(row: Any) -> Any:
    """The row as it is now."""
    return type(row)._default_manager.get(pk=row.pk)
