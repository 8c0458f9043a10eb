"""The rows of block storage: services and their pools, volumes with their types, snapshots and
attachments, quotas."""

from typing import ClassVar
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.functional import cached_property

from drivers.hypervisor.base import ServerStatus
from storage_project.operations.flow import Flow
from storage_project.sealing import SealedField
from volumes.states import (
    ATTACHMENT,
    ATTACHMENT_STATUSES,
    SNAPSHOT,
    SNAPSHOT_STATUSES,
    STATUSES,
    VOLUME,
)


class Service(models.Model):
    """A worker as the API shows it: `cinder-volume` for each backend, `cinder-scheduler`.

    It is up while its heartbeat is young and nothing keeps it from working, and used while an
    operator has it enabled.
    """

    binary = models.CharField(max_length=64)
    host = models.CharField(max_length=255)
    availability_zone = models.CharField(max_length=64)
    enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=255, default="", blank=True)
    down_reason = models.TextField(default="", blank=True, help_text="what keeps it from working")
    heartbeat_at = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["binary", "host"], name="service_once"),
        ]

    def __str__(self) -> str:
        return f"{self.binary} {self.host}"

    @cached_property
    def uuid(self) -> UUID:
        """The same wherever it is asked: clients on one machine take their locks by it."""
        return uuid5(NAMESPACE_URL, f"{self.binary}://{self.host}")


class Pool(models.Model):
    """A part of a backend with its own capacity, the unit that the scheduler picks.

    The backend's worker reports everything but the two allocated columns; these are the sums over
    the volumes placed here, kept exact by conditional updates.
    """

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="pools")
    name = models.CharField(max_length=255)
    backend = models.CharField(max_length=255, help_text="its name in the configuration")
    total_gib = models.FloatField()
    free_gib = models.FloatField()
    thin = models.BooleanField()
    max_over_subscription_ratio = models.FloatField()
    reserved_percentage = models.IntegerField()
    preference = models.IntegerField()
    capabilities = models.JSONField(default=dict)
    reported_at = models.DateTimeField(db_default=Now())
    allocated_gib = models.BigIntegerField(default=0)
    allocated_volumes = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["service", "name"], name="pool_once"),
            models.CheckConstraint(
                condition=Q(allocated_gib__gte=0, allocated_volumes__gte=0),
                name="pool_allocated_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.host

    @property
    def host(self) -> str:
        """`host@backend#pool`, the name of the pool everywhere in the API."""
        return f"{self.service.host}#{self.name}"


class VolumeType(models.Model):
    """A named class of service. Its extra specs are demands on the pool that takes a volume."""

    # The type of a volume whose creator names none.
    DEFAULT_NAME: ClassVar[str] = "__DEFAULT__"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(max_length=255, unique=True)
    description = models.TextField(null=True, blank=True)
    is_public = models.BooleanField(default=True)
    extra_specs = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["-created_at", "-id"], name="type_newest")]

    def __str__(self) -> str:
        return self.name

    @property
    def multiattach(self) -> bool:
        """Whether its volumes may be attached to several servers at once."""
        return str(self.extra_specs.get("multiattach", "")).lower() == "<is> true"


class Volume(models.Model):
    """A volume. The row goes when the volume does; its operations and history stay."""

    flow: ClassVar[Flow] = VOLUME

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    project_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    name = models.CharField(max_length=255, null=True, blank=True)
    description = models.CharField(max_length=255, null=True, blank=True)
    size_gib = models.IntegerField()
    status = models.CharField(
        max_length=32, choices=[(status, status) for status in STATUSES], default="creating"
    )
    attach_status = models.CharField(max_length=32, default="detached")
    migration_status = models.CharField(max_length=64, null=True, blank=True)
    volume_type = models.ForeignKey(VolumeType, on_delete=models.PROTECT, related_name="volumes")
    # What the client asked for; once it is placed, where it is.
    availability_zone = models.CharField(max_length=64, null=True, blank=True)
    pool = models.ForeignKey(
        Pool, null=True, blank=True, on_delete=models.PROTECT, related_name="volumes"
    )
    # What it was made from, which may be gone by now.
    source_snapshot_id = models.UUIDField(null=True, blank=True)
    source_volume_id = models.UUIDField(null=True, blank=True)
    bootable = models.BooleanField(default=False)
    multiattach = models.BooleanField(default=False)
    readonly = models.BooleanField(default=False, help_text="attached for reading only")
    metadata = models.JSONField(default=dict, blank=True)
    # Snapshots on its backend that are nobody's but its own: the one that a backup is being made
    # from, and the one that the next incremental backup will be compared with. Each has the id of
    # its backup. They go with the volume.
    backup_snapshot_id = models.UUIDField(null=True, blank=True)
    base_snapshot_id = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["project_id", "-created_at", "-id"], name="volume_project"),
            models.Index(fields=["-created_at", "-id"], name="volume_newest"),
        ]

    def __str__(self) -> str:
        return self.name or str(self.id)

    @property
    def in_use(self) -> bool:
        """Whether somebody may be writing to it."""
        return self.attach_status != "detached"

    @property
    def internal_snapshots(self) -> list[str]:
        """The ids of the snapshots on its backend that no row of theirs tells of."""
        return [str(each) for each in (self.backup_snapshot_id, self.base_snapshot_id) if each]


class Snapshot(models.Model):
    """A volume as it was at one moment. It depends on nothing on the backend, but a volume is not
    deleted before its snapshots."""

    flow: ClassVar[Flow] = SNAPSHOT

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    project_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    volume = models.ForeignKey(Volume, on_delete=models.PROTECT, related_name="snapshots")
    name = models.CharField(max_length=255, null=True, blank=True)
    description = models.CharField(max_length=255, null=True, blank=True)
    size_gib = models.IntegerField()
    status = models.CharField(
        max_length=32,
        choices=[(status, status) for status in SNAPSHOT_STATUSES],
        default="creating",
    )
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["project_id", "-created_at", "-id"], name="snapshot_project"),
            models.Index(fields=["-created_at", "-id"], name="snapshot_newest"),
        ]

    def __str__(self) -> str:
        return self.name or str(self.id)

    @property
    def volume_type(self) -> VolumeType:
        """It counts for the type of its volume, and a volume made from it has that type."""
        return self.volume.volume_type


class UnopenedManager(models.Manager["Attachment"]):
    """Sealed columns are read when they are asked for, and not with every row."""

    def get_queryset(self) -> "models.QuerySet[Attachment]":
        return super().get_queryset().defer(*Attachment.SEALED)


class Attachment(models.Model):
    """A volume that somebody wants to use, or uses: from its reservation until it is detached.

    Its export is the way there. `wanted` is set in a commit before it is published and unset in
    one before it is revoked, so an export that no wanted row has may be taken away at any time.
    """

    flow: ClassVar[Flow] = ATTACHMENT
    SEALED: ClassVar[tuple[str, ...]] = ("connection_info", "secret")

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    project_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    volume = models.ForeignKey(Volume, on_delete=models.PROTECT, related_name="attachments")
    status = models.CharField(
        max_length=32,
        choices=[(status, status) for status in ATTACHMENT_STATUSES],
        default="reserved",
    )
    server_id = models.UUIDField(null=True, blank=True)
    attach_mode = models.CharField(max_length=2, choices=[("rw", "rw"), ("ro", "ro")], default="rw")
    mountpoint = models.CharField(max_length=255, null=True, blank=True)
    # The part of what the client says about its host that exports look at.
    connector = models.JSONField(null=True, blank=True)
    export = models.CharField(max_length=255, default="", blank=True, help_text="its configuration")
    wanted = models.BooleanField(default=False)
    connection_info = SealedField(null=True, blank=True)
    secret = SealedField(null=True, blank=True, help_text="the export's own password")
    attached_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)

    objects = UnopenedManager()

    class Meta:
        indexes = [
            models.Index(fields=["server_id"], name="attachment_server"),
            models.Index(fields=["project_id", "-created_at", "-id"], name="attachment_project"),
            models.Index(fields=["-created_at", "-id"], name="attachment_newest"),
            models.Index(fields=["export"], condition=Q(wanted=True), name="attachment_wanted"),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def host_name(self) -> str | None:
        """The host that the volume is attached to, by its own word."""
        name: str | None = (self.connector or {}).get("host")
        return name


class Server(models.Model):
    """A virtual machine, as the hypervisor of its host reports it; nothing else makes one.

    Its project is the hypervisor's when it is first seen. From then on it is what this row says.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    project_id = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    status = models.CharField(max_length=16, choices=[(each, each) for each in ServerStatus])
    host = models.CharField(max_length=255)
    hypervisor = models.CharField(max_length=255, help_text="its name in the configuration")
    vcpus = models.IntegerField(default=0)
    memory_mib = models.IntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    reported_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(fields=["project_id", "-created_at", "-id"], name="server_project"),
            models.Index(fields=["-created_at", "-id"], name="server_newest"),
            models.Index(fields=["host", "hypervisor"], name="server_hypervisor"),
        ]

    def __str__(self) -> str:
        return self.name


class QuotaUsage(models.Model):
    """How much of one resource a project has: `in_use` counts rows, `reserved` what is underway."""

    project_id = models.CharField(max_length=64)
    resource = models.CharField(max_length=300)
    in_use = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project_id", "resource"], name="usage_once"),
            models.CheckConstraint(
                condition=Q(in_use__gte=0, reserved__gte=0), name="usage_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project_id} {self.resource}: {self.in_use} + {self.reserved}"


class QuotaLimit(models.Model):
    """A limit set for one project (or, without one, the default for all); -1 is no limit."""

    project_id = models.CharField(max_length=64, default="", blank=True)
    resource = models.CharField(max_length=300)
    limit = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project_id", "resource"], name="limit_once"),
        ]

    def __str__(self) -> str:
        return f"{self.project_id or 'default'} {self.resource}: {self.limit}"
