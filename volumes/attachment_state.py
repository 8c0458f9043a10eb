"""What a volume is by its attachments. Whoever adds, moves or removes one does it in here:

    with changing_attachments(volume_id) as volume:
        advance(attachment, "complete")

The volume's row is locked first. So of several changes at once each sees those before it, and the
last one leaves the volume with a status that fits them all.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from storage_project.api.faults import NotFound
from storage_project.operations.flow import advance
from storage_project.operations.models import Operation
from volumes.models import Attachment, Server, Volume
from volumes.states import BY_ATTACHMENTS

# The first of these that an attachment has decides. One that could not be connected counts for
# nothing: nobody ever used it. One that could not be taken away may still be there.
PRECEDENCE = {
    "attached": ("in-use", "attached"),
    "attaching": ("attaching", "attaching"),
    "detaching": ("detaching", "detaching"),
    "error_detaching": ("detaching", "detaching"),
    "reserved": ("reserved", "reserved"),
}
MOVES = {
    "available": "detach",
    "reserved": "reserve",
    "attaching": "begin_attaching",
    "in-use": "attach",
    "detaching": "begin_detaching",
}


def status_by(attachments: Collection[str]) -> tuple[str, str]:
    """The status and the attach_status of a volume whose attachments have these statuses."""
    for status, result in PRECEDENCE.items():
        if status in attachments:
            return result
    return "available", "detached"


@contextmanager
def changing_attachments(
    volume_id: UUID, *, operation: Operation | None = None
) -> Iterator[Volume]:
    """The volume, locked, in a transaction at whose end its status fits its attachments; 404 when
    it is gone. Not for the same volume inside of each other: the outer one would not notice."""
    with transaction.atomic():
        volume = Volume.objects.select_for_update().filter(pk=volume_id).first()
        if volume is None:
            raise NotFound("Volume", volume_id)
        yield volume
        _settle(volume, operation)


def status_at_rest(volume: Volume) -> str:
    """What a volume is when nothing works on it, by its attachments as they are now."""
    return _by_attachments_of(volume)[0]


def _by_attachments_of(volume: Volume) -> tuple[str, str]:
    found = Attachment.objects.filter(volume=volume).values_list("status", flat=True)
    return status_by(set(found))


def _settle(volume: Volume, operation: Operation | None) -> None:
    """A status that is not by its attachments is left to whoever has set it."""
    status, attach_status = _by_attachments_of(volume)
    if volume.status in BY_ATTACHMENTS and volume.status != status:
        advance(volume, MOVES[status], operation=operation, attach_status=attach_status)
    elif volume.attach_status != attach_status:
        Volume.objects.filter(pk=volume.pk).update(attach_status=attach_status, updated_at=Now())
        volume.attach_status = attach_status


def attachments_to_servers(volume: Volume) -> "QuerySet[Attachment]":
    """Where a volume is used by servers that hypervisors of ours run."""
    ours = Server.objects.values("pk")
    return Attachment.objects.filter(volume=volume, status="attached", server_id__in=ours)
