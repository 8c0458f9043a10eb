"""What clients send to make a schedule, to change it, and to try other rules of retention."""

from typing import Any

from rest_framework import serializers

from backups.api.backup_bodies import Description, Flag
from storage_project.api.bodies import Body
from storage_project.api.gates import admin_only
from storage_project.api.input_fields import BooleanLike, IntegerLike, NameField, Text
from volumes.api.volume_bodies import OptionalId, OptionalText

MOST_KEPT = 100_000
MOST_DAYS = 36_500
MOST_MINUTES = 366 * 24 * 60


class Kept(IntegerLike):
    """How many of one kind are kept."""

    def __init__(self) -> None:
        super().__init__(required=False, min_value=0, max_value=MOST_KEPT)


class Rules(Body):
    """What is kept of each volume's backups."""

    keep_last = Kept()
    keep_hourly = Kept()
    keep_daily = Kept()
    keep_weekly = Kept()
    keep_monthly = Kept()
    keep_yearly = Kept()
    max_age_days = IntegerLike(required=False, allow_null=True, min_value=1, max_value=MOST_DAYS)


class UpdateSchedule(Rules):
    envelope = "backup_schedule"
    example = {"keep_daily": 14, "enabled": True}

    name = NameField(required=False, allow_blank=False)
    description = Description()
    enabled = BooleanLike(required=False)
    cron = Text(required=False)
    time_zone = Text(required=False, max_length=64)
    jitter_minutes = IntegerLike(required=False, min_value=0, max_value=MOST_MINUTES)
    window_minutes = IntegerLike(
        required=False, allow_null=True, min_value=1, max_value=MOST_MINUTES
    )
    incremental = BooleanLike(required=False)
    full_every = IntegerLike(required=False, allow_null=True, min_value=2, max_value=MOST_KEPT)
    force = BooleanLike(required=False)
    container = OptionalText()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError("Give what is to be changed.")
        return attrs


class CreateSchedule(UpdateSchedule):
    example = {
        "name": "nightly",
        "volume_type": "__DEFAULT__",
        "cron": "30 2 * * *",
        "time_zone": "Europe/Berlin",
        "jitter_minutes": 30,
        "window_minutes": 240,
        "incremental": True,
        "keep_daily": 7,
        "keep_weekly": 4,
    }

    name = NameField(allow_blank=False)
    volume_id = OptionalId()
    volume_type = OptionalText()
    all_projects = admin_only(Flag())
    cron = Text()
