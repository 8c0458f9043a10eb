"""The rows of backups."""

from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from backups.schedule_models import Schedule, ScheduledBackup, ScheduleRun
from backups.states import BACKUP, REPOSITORY, STATUSES, VERIFICATIONS
from storage_project.operations.flow import Flow
from storage_project.operations.models import Operation

__all__ = [
    "Backup",
    "Damage",
    "Repository",
    "Schedule",
    "ScheduleRun",
    "ScheduledBackup",
    "Session",
]


class Backup(models.Model):
    """A volume as it was at one moment, kept in a repository. It depends on nothing: neither on its
    volume nor on the backup that it was compared with.

    The repository has all that this row tells, and more; with the row gone, it can be made again.
    """

    flow: ClassVar[Flow] = BACKUP
    # What is at work on it, where somebody has looked.
    work: Operation | None = None

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

    # What is known of its content.
    verified_at = models.DateTimeField(null=True, blank=True)
    verification = models.CharField(
        max_length=16, choices=[(each, each) for each in VERIFICATIONS], default="", blank=True
    )
    verification_detail = models.TextField(default="", blank=True)
    tested_at = models.DateTimeField(null=True, blank=True, help_text="restored, and compared")
    test_report = models.JSONField(default=dict, blank=True)

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


class Repository(models.Model):
    """A place for backups, as its workers tell of it: what was last measured there, how far it has
    been looked at, and its clock."""

    flow: ClassVar[Flow] = REPOSITORY

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(max_length=255, unique=True, help_text="in the configuration")
    status = models.CharField(
        max_length=32,
        choices=[(status, status) for status in REPOSITORY.statuses],
        default="available",
    )
    repository_id = models.CharField(max_length=32, default="", blank=True)
    encrypted = models.BooleanField(null=True, blank=True)
    epoch = models.BigIntegerField(
        default=0, help_text="how often somebody has begun something in it"
    )

    # As last measured.
    backups = models.BigIntegerField(null=True, blank=True)
    logical_bytes = models.BigIntegerField(null=True, blank=True, help_text="of the volumes")
    unique_bytes = models.BigIntegerField(null=True, blank=True, help_text="of different blocks")
    stored_bytes = models.BigIntegerField(null=True, blank=True, help_text="in packs")
    free_bytes = models.BigIntegerField(null=True, blank=True)
    total_bytes = models.BigIntegerField(null=True, blank=True)
    measured_at = models.DateTimeField(null=True, blank=True)
    outdated = models.BooleanField(default=True, help_text="something has changed since")

    collected_at = models.DateTimeField(null=True, blank=True)
    collect_after = models.DateTimeField(default=timezone.now)
    scrubbed_at = models.DateTimeField(null=True, blank=True)
    scrub_after = models.DateTimeField(default=timezone.now)
    scrub_reached = models.CharField(max_length=255, default="", blank=True)
    scrubbed_once_at = models.DateTimeField(null=True, blank=True, help_text="all of it")

    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "repositories"

    def __str__(self) -> str:
        return self.name


class Damage(models.Model):
    """An object in a repository that is not what was written, or is gone; until what backups need
    of it is there again."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="damages")
    key = models.CharField(max_length=255)
    sentence = models.TextField()
    created_at = models.DateTimeField(db_default=Now(), help_text="found")
    healed_at = models.DateTimeField(null=True, blank=True)
    backups = models.ManyToManyField(Backup, related_name="damages", help_text="that it hits")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=("repository", "key"), name="damage_once"),
        ]
        indexes = [
            models.Index(fields=["repository", "-created_at", "-id"], name="damage_newest"),
            models.Index(
                fields=["repository"], condition=Q(healed_at__isnull=True), name="damage_open"
            ),
        ]

    def __str__(self) -> str:
        return self.key


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
