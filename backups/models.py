"""The rows of backups."""

from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models.functions import Now

from backups.schedule_models import Schedule, ScheduledBackup, ScheduleRun
from backups.states import BACKUP, STATUSES
from storage_project.operations.flow import Flow
from storage_project.operations.models import Operation

__all__ = ["Backup", "Clock", "Schedule", "ScheduleRun", "ScheduledBackup", "Session"]


class Backup(models.Model):
    """A volume as it was at one moment, kept in a repository. It depends on nothing: neither on its
    volume nor on the backup that it was compared with.

    The repository has all that this row tells, and more; with the row gone, it can be made again.
    """

    flow: ClassVar[Flow] = BACKUP

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    project_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    name = models.CharField(max_length=255, null=True, blank=True)
    description = models.CharField(max_length=255, null=True, blank=True)
    status = models.CharField(
        max_length=32, choices=[(status, status) for status in STATUSES], default="creating"
    )
    size_gib = models.IntegerField(help_text="of the volume")
    metadata = models.JSONField(default=dict, blank=True)

    # What it was made from, which may be gone by now.
    volume_id = models.UUIDField()
    snapshot_id = models.UUIDField(null=True, blank=True)
    parent_id = models.UUIDField(null=True, blank=True, help_text="what it was compared with")
    # What a volume that is made from it is to have, too.
    volume_properties = models.JSONField(default=dict, blank=True)

    container = models.CharField(max_length=255, help_text="its repository in the configuration")
    # Content is told apart by project, so that none can find out what another has.
    domain = models.CharField(max_length=64, help_text="the project that its content belongs to")
    availability_zone = models.CharField(max_length=64, null=True, blank=True)
    data_timestamp = models.DateTimeField(null=True, blank=True, help_text="its moment")
    object_count = models.BigIntegerField(default=0)
    read_bytes = models.BigIntegerField(default=0, help_text="read from the volume")
    transferred_bytes = models.BigIntegerField(default=0, help_text="sent to the repository")
    skipped_bytes = models.BigIntegerField(default=0, help_text="known to be there without reading")
    fail_reason = models.TextField(null=True, blank=True)
    protected = models.BooleanField(default=False, help_text="nobody can delete it")
    schedule_id = models.UUIDField(null=True, blank=True, help_text="what it was made by")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["project_id", "-created_at", "-id"], name="backup_project"),
            models.Index(fields=["-created_at", "-id"], name="backup_newest"),
            models.Index(fields=["volume_id", "-created_at"], name="backup_volume"),
            models.Index(fields=["parent_id"], name="backup_parent"),
            models.Index(
                fields=["schedule_id", "volume_id"],
                condition=models.Q(schedule_id__isnull=False),
                name="backup_schedule",
            ),
        ]

    def __str__(self) -> str:
        return self.name or str(self.id)

    @property
    def is_incremental(self) -> bool:
        return self.parent_id is not None


class Clock(models.Model):
    """The clock of a repository: how often somebody began something in it."""

    repository = models.CharField(max_length=255, primary_key=True)
    epoch = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.repository}: {self.epoch}"


class Session(models.Model):
    """Somebody who writes to a repository: one go of a worker at an operation, from an epoch on.

    It lives as long as that worker holds the operation's lease with this fence.
    """

    repository = models.CharField(max_length=255)
    epoch = models.BigIntegerField()
    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="+")
    fence = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repository", "epoch"], name="session_once"),
        ]

    def __str__(self) -> str:
        return f"{self.repository} {self.epoch}: {self.operation_id}"
