"""How schedules, their runs and their plans look."""

from rest_framework import serializers

from storage_project.api.representation import LinksField, Representation


class ScheduleNameRepresentation(Representation):
    """A schedule in a list that is not detailed."""

    envelope, plural = "backup_schedule", "backup_schedules"

    id = serializers.UUIDField()
    name = serializers.CharField()
    links = LinksField("backup_schedules")


class ScheduleRepresentation(ScheduleNameRepresentation):
    """A schedule with all that there is to know of it."""

    description = serializers.CharField()
    project_id = serializers.CharField()
    user_id = serializers.CharField()
    enabled = serializers.BooleanField()
    disabled_reason = serializers.CharField()
    volume_id = serializers.UUIDField()
    volume_type = serializers.CharField(source="volume_type_name")
    volume_type_id = serializers.UUIDField()
    all_projects = serializers.BooleanField()
    cron = serializers.CharField()
    time_zone = serializers.CharField()
    jitter_minutes = serializers.IntegerField()
    window_minutes = serializers.IntegerField()
    incremental = serializers.BooleanField()
    full_every = serializers.IntegerField()
    force = serializers.BooleanField()
    container = serializers.CharField()
    keep_last = serializers.IntegerField()
    keep_hourly = serializers.IntegerField()
    keep_daily = serializers.IntegerField()
    keep_weekly = serializers.IntegerField()
    keep_monthly = serializers.IntegerField()
    keep_yearly = serializers.IntegerField()
    max_age_days = serializers.IntegerField()
    next_slot = serializers.DateTimeField()
    last_slot = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class RunRepresentation(Representation):
    """A slot of a schedule, and how many of its volumes had which outcome."""

    envelope, plural = "run", "runs"

    id = serializers.UUIDField()
    slot = serializers.DateTimeField()
    is_extra = serializers.BooleanField()
    status = serializers.CharField()
    note = serializers.CharField()
    begins_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField()
    outcomes = serializers.DictField(child=serializers.IntegerField())


class RunVolumeRepresentation(Representation):
    """What has become of one volume in a slot."""

    envelope, plural = "volume", "volumes"

    id = serializers.UUIDField()
    volume_id = serializers.UUIDField()
    status = serializers.CharField()
    note = serializers.CharField()
    begins_at = serializers.DateTimeField()
    tries = serializers.IntegerField()
    backup_id = serializers.UUIDField()
    updated_at = serializers.DateTimeField()


class PlannedBackupRepresentation(Representation):
    """What is to become of a backup."""

    id = serializers.UUIDField(source="backup.id")
    name = serializers.CharField(source="backup.name")
    data_timestamp = serializers.DateTimeField(source="backup.data_timestamp")
    protected = serializers.BooleanField(source="backup.protected")
    keep = serializers.BooleanField()
    reason = serializers.CharField()


class PlanRepresentation(Representation):
    """What is to become of a schedule's backups of one volume."""

    envelope, plural = "plan", "plans"

    volume_id = serializers.UUIDField()
    backups = PlannedBackupRepresentation(many=True)
