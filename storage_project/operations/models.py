"""The rows behind every accepted request: the operation, its history, and what users are told."""

from typing import TypedDict
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from storage_project.operations.states import ACTIVE, CONTROL_QUEUE, PLACED, Status, Step


class Event(TypedDict):
    """An entry of an operation's timeline: how one go at one step ended."""

    at: str  # UTC, ISO 8601
    step: str
    outcome: str
    attempt: int
    worker: str
    note: str


class Operation(models.Model):
    """One accepted request, from the POST that opened it to its end. The row is the truth; Celery
    messages only say that it is worth a look.

    Who may run it is decided by `fence`: every claim raises it by one, and every later write names
    the fence it was claimed with, so the writes of a worker that has lost its lease change nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    kind = models.CharField(max_length=64)
    project_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    request_id = models.CharField(max_length=64)
    resource_type = models.CharField(max_length=32)
    resource_id = models.UUIDField()
    # What was asked for, and what the steps found out on the way (candidates, refusals).
    arguments = models.JSONField(default=dict)
    notes = models.JSONField(default=dict)
    # Every end of a step: when, which, how, by whom; see `Event`.
    timeline = models.JSONField(default=list)

    status = models.CharField(max_length=16, choices=Status, default=Status.PENDING)
    step = models.CharField(max_length=16, choices=Step, default=Step.VALIDATE)
    # Where provision and undo run; known once schedule has chosen.
    provision_queue = models.CharField(max_length=255, default="", blank=True)

    owner = models.CharField(max_length=255, default="", blank=True)
    fence = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.IntegerField(default=0, help_text="claims of the current step")
    rings = models.IntegerField(default=0, help_text="messages sent for the current step")
    ring_after = models.DateTimeField(db_default=Now())
    deadline_at = models.DateTimeField(help_text="when nobody will come for the current step")
    cancel_requested = models.BooleanField(default=False)
    # Whose end it waits for before it begins, and whether another waits for its own.
    waits_for = models.UUIDField(null=True, blank=True)
    is_awaited = models.BooleanField(default=False)

    phase = models.CharField(max_length=255, default="", blank=True)
    progress_bytes = models.BigIntegerField(default=0)
    total_bytes = models.BigIntegerField(null=True, blank=True)
    # What else is counted: how quickly it goes (`bytes_per_s`), and what was read, sent, skipped.
    counted = models.JSONField(default=dict, blank=True)
    error_code = models.CharField(max_length=32, default="", blank=True)
    error = models.TextField(default="", blank=True)

    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            # Nothing that a step changes is in an index, so that PostgreSQL need not touch any.
            models.Index(
                fields=["created_at"],
                condition=Q(finished_at__isnull=True),
                name="operation_active",
            ),
            models.Index(
                fields=["waits_for"],
                condition=Q(waits_for__isnull=False),
                name="operation_waits_for",
            ),
            models.Index(fields=["resource_id", "created_at"], name="operation_resource"),
            models.Index(fields=["project_id", "-created_at", "-id"], name="operation_project"),
            models.Index(fields=["-created_at", "-id"], name="operation_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def queue(self) -> str:
        """The queue of the current step."""
        return self.provision_queue if self.step in PLACED else CONTROL_QUEUE

    @property
    def active(self) -> bool:
        return self.status in ACTIVE

    @property
    def bytes_per_s(self) -> int | None:
        """How quickly it goes, or went."""
        rate: int | None = self.counted.get("bytes_per_s")
        return rate

    @property
    def seconds_left(self) -> int | None:
        """How long it takes still, if it goes on as it does."""
        if self.status != Status.RUNNING or not self.bytes_per_s or not self.total_bytes:
            return None
        return max(0, self.total_bytes - self.progress_bytes) // self.bytes_per_s


class Transition(models.Model):
    """One move of one status: the history of a resource, and with its operation the timeline."""

    operation = models.ForeignKey(
        Operation, null=True, on_delete=models.CASCADE, related_name="transitions"
    )
    resource_type = models.CharField(max_length=32)
    resource_id = models.UUIDField()
    step = models.CharField(max_length=16, default="", blank=True)
    was = models.CharField(max_length=32, default="", blank=True)
    became = models.CharField(max_length=32)
    note = models.TextField(default="", blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["resource_id", "id"], name="transition_resource")]

    def __str__(self) -> str:
        return f"{self.resource_type} {self.resource_id}: {self.was or '·'} → {self.became}"


class Message(models.Model):
    """What went wrong, told to the project whose request it was (`/v3/messages`)."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    project_id = models.CharField(max_length=64)
    request_id = models.CharField(max_length=64)
    operation = models.ForeignKey(Operation, null=True, on_delete=models.SET_NULL)
    resource_type = models.CharField(max_length=32)
    resource_id = models.UUIDField()
    code = models.CharField(max_length=32)
    level = models.CharField(max_length=16, default="ERROR")
    sentence = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["project_id", "-created_at", "-id"], name="message_project"),
        ]

    def __str__(self) -> str:
        return self.sentence
