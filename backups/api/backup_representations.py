"""How a backup looks, in a list and by itself."""

from rest_framework import serializers

from backups.models import Backup
from storage_project.api.gates import named, since
from storage_project.api.representation import Constant, LinksField, Representation
from storage_project.operations.api.links import OperatedRepresentation
from storage_project.operations.api.operations import ProgressRepresentation


class BackupNameRepresentation(Representation):
    """A backup in a list that is not detailed."""

    envelope, plural = "backup", "backups"

    id = serializers.UUIDField()
    name = serializers.CharField()
    links = LinksField("backups")


class BackupRepresentation(OperatedRepresentation, BackupNameRepresentation):
    """A backup with all that there is to know of it."""

    description = serializers.CharField()
    status = serializers.CharField()
    size = serializers.IntegerField(source="size_gib")
    volume_id = serializers.UUIDField()
    snapshot_id = serializers.UUIDField()
    container = serializers.CharField()
    availability_zone = serializers.CharField()
    is_incremental = serializers.BooleanField()
    has_dependent_backups = serializers.SerializerMethodField()
    object_count = serializers.IntegerField()
    fail_reason = serializers.CharField()
    data_timestamp = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    project_id = since(
        "3.18",
        named("os-backup-project-attr:project_id", serializers.CharField(source="project_id")),
    )
    metadata = since("3.43", serializers.DictField(child=serializers.CharField()))
    user_id = since("3.56", serializers.CharField())
    encryption_key_id = since("3.64", Constant(None))
    # Ours: whether it can be deleted, what made it, and what that took.
    protected = serializers.BooleanField()
    schedule_id = serializers.UUIDField()
    read_bytes = serializers.IntegerField()
    transferred_bytes = serializers.IntegerField()
    skipped_bytes = serializers.IntegerField()
    progress = ProgressRepresentation(source="work")
    # What is known of its content.
    verified_at = serializers.DateTimeField()
    verification = serializers.SerializerMethodField()
    verification_detail = serializers.CharField()
    tested_at = serializers.DateTimeField()
    test_report = serializers.JSONField()

    def get_verification(self, backup: Backup) -> str | None:
        return backup.verification or None

    def get_has_dependent_backups(self, backup: Backup) -> bool:
        """Whether another was compared with it; nothing can have been with one that is new."""
        return getattr(backup, "has_dependent_backups", False)


class RestoreRepresentation(Representation):
    """Where a backup is restored to."""

    envelope = "restore"

    backup_id = serializers.UUIDField()
    volume_id = serializers.UUIDField()
    volume_name = serializers.CharField()


class RecordRepresentation(Representation):
    """A backup as another installation takes it."""

    envelope = "backup-record"

    backup_service = serializers.CharField()
    backup_url = serializers.CharField()
