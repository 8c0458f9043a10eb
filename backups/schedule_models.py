"""The rows of schedules: what is wanted, each slot that has come, and each volume in it."""

from uuid import uuid4

from django.db import models
from django.db.models.functions import Now

WAITING, RUNNING, SUCCEEDED, FAILED, MISSED = (
    "waiting",  # for its moment, or to be tried again
    "running",  # the backup is being made
    "succeeded",
    "failed",  # a backup was made, and failed
    "missed",  # none could begin within the window
)
OUTCOMES = (WAITING, RUNNING, SUCCEEDED, FAILED, MISSED)
ENDED = "ended"


class Schedule(models.Model):
    """Which volumes are backed up when, and which of these backups are kept.

    Whoever moves `next_slot` on, in the transaction that writes the run, has begun that slot. It
    refers to nothing by a key: what it covers may go, and what it made stays when it goes.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    project_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64, help_text="in whose name it makes backups")
    name = models.CharField(max_length=255)
    description = models.CharField(max_length=255, null=True, blank=True)
    enabled = models.BooleanField(default=True)
    disabled_reason = models.TextField(default="", blank=True)

    # One of these two; of the type, those of the project, or of all projects.
    volume_id = models.UUIDField(null=True, blank=True)
    volume_type_id = models.UUIDField(null=True, blank=True)
    all_projects = models.BooleanField(default=False)

    cron = models.CharField(max_length=255)
    time_zone = models.CharField(max_length=64, default="UTC")
    jitter_minutes = models.IntegerField(default=0, help_text="volumes begin spread over these")
    window_minutes = models.IntegerField(
        null=True, blank=True, help_text="after which a backup does not begin any more"
    )
    incremental = models.BooleanField(default=False)
    full_every = models.IntegerField(
        null=True, blank=True, help_text="every so many backups one is full"
    )
    force = models.BooleanField(default=True, help_text="also volumes in use")
    container = models.CharField(max_length=255, null=True, blank=True)

    keep_last = models.IntegerField(default=0)
    keep_hourly = models.IntegerField(default=0)
    keep_daily = models.IntegerField(default=0)
    keep_weekly = models.IntegerField(default=0)
    keep_monthly = models.IntegerField(default=0)
    keep_yearly = models.IntegerField(default=0)
    max_age_days = models.IntegerField(null=True, blank=True)

    next_slot = models.DateTimeField(null=True, blank=True)
    last_slot = models.DateTimeField(null=True, blank=True)
    # Up to which volume this round of retention has come, and when the last round had ended.
    pruned_to = models.UUIDField(null=True, blank=True)
    pruned_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["project_id", "-created_at", "-id"], name="schedule_project"),
            models.Index(fields=["next_slot"], name="schedule_next_slot"),
        ]

    def __str__(self) -> str:
        return self.name or str(self.id)


class ScheduleRun(models.Model):
    """One slot of a schedule, or one that somebody asked for: there is never a second of it.

    It ends when each volume has its outcome.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    schedule_id = models.UUIDField()
    slot = models.DateTimeField()
    is_extra = models.BooleanField(default=False, help_text="somebody asked for it")
    status = models.CharField(
        max_length=16, choices=[(each, each) for each in (RUNNING, ENDED, MISSED)], default=RUNNING
    )
    note = models.TextField(default="", blank=True)
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField(help_text="from when on no backup begins any more")
    # Up to which volume each has its row, and whether all have.
    spread_to = models.UUIDField(null=True, blank=True)
    is_spread = models.BooleanField(default=False)
    outcomes = models.JSONField(default=dict, blank=True, help_text="how many volumes had which")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["schedule_id", "slot"], name="slot_once"),
        ]
        indexes = [
            models.Index(
                fields=["slot"],
                condition=models.Q(finished_at__isnull=True),
                name="slot_active",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.slot:%Y-%m-%d %H:%M:%S}"


class ScheduledBackup(models.Model):
    """One volume in one slot. Its backup is accepted in the transaction that leaves `waiting`."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    run = models.ForeignKey(ScheduleRun, on_delete=models.CASCADE, related_name="backups")
    schedule_id = models.UUIDField()
    volume_id = models.UUIDField()
    status = models.CharField(
        max_length=16, choices=[(each, each) for each in OUTCOMES], default=WAITING
    )
    note = models.TextField(default="", blank=True, help_text="why it is not done")
    begins_at = models.DateTimeField(help_text="it is not tried before")
    tries = models.IntegerField(default=0)
    failures = models.IntegerField(default=0, help_text="backups that were made, and failed")
    backup_id = models.UUIDField(null=True, blank=True)
    since_full = models.IntegerField(default=0, help_text="incremental ones up to this")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "volume_id"], name="volume_once_in_slot"),
        ]
        indexes = [
            models.Index(
                fields=["begins_at"], condition=models.Q(status=WAITING), name="scheduled_waiting"
            ),
            models.Index(
                fields=["backup_id"], condition=models.Q(status=RUNNING), name="scheduled_running"
            ),
            models.Index(fields=["schedule_id", "volume_id"], name="scheduled_volume"),
        ]

    def __str__(self) -> str:
        return f"{self.volume_id}: {self.status}"
