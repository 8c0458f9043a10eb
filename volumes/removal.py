"""The end of a row, whoever ends it: of a volume or a snapshot with its quota and room, and of an
attachment."""

from storage_project.operations.flow import StateConflict, record
from storage_project.operations.models import Operation
from volumes import quota
from volumes.models import Attachment, Snapshot, Volume
from volumes.pools import release_room


def remove_row(volume: Volume, *, operation: Operation | None = None) -> None:
    """Delete the row if it is still as `volume` says; in the caller's transaction."""
    was = volume.status
    remove_attachment_rows(volume, operation=operation)
    as_seen = Volume.objects.filter(
        pk=volume.pk, status=was, pool=volume.pool_id, size_gib=volume.size_gib
    )
    deleted, _ = as_seen.delete()
    if not deleted:
        raise StateConflict(f"Volume {volume.pk} has changed meanwhile.", 409)
    if volume.pool_id is not None:
        release_room(volume.pool_id, volume.size_gib)
    quota.give_back(
        volume.project_id, quota.volume_charges(volume.volume_type.name, volume.size_gib)
    )
    volume.status = "deleted"
    record(volume, was, operation=operation)


def remove_snapshot_row(snapshot: Snapshot, *, operation: Operation | None = None) -> None:
    """Delete the row if it is still as `snapshot` says; in the caller's transaction."""
    was = snapshot.status
    deleted, _ = Snapshot.objects.filter(pk=snapshot.pk, status=was).delete()
    if not deleted:
        raise StateConflict(f"Snapshot {snapshot.pk} has changed meanwhile.", 409)
    quota.give_back(
        snapshot.project_id, quota.snapshot_charges(snapshot.volume_type.name, snapshot.size_gib)
    )
    snapshot.status = "deleted"
    record(snapshot, was, operation=operation)


def remove_attachment_rows(volume: Volume, *, operation: Operation | None = None) -> None:
    """Delete all that is left of a volume's attachments; exports that they had are not wanted any
    more, and are revoked as such."""
    for attachment in volume.attachments.all():
        remove_attachment_row(attachment, operation=operation)


def remove_attachment_row(attachment: Attachment, *, operation: Operation | None = None) -> None:
    """Delete the row if it is still as `attachment` says; in the caller's transaction."""
    was = attachment.status
    deleted, _ = Attachment.objects.filter(pk=attachment.pk, status=was).delete()
    if not deleted:
        raise StateConflict(f"Attachment {attachment.pk} has changed meanwhile.", 409)
    attachment.status = "deleted"
    record(attachment, was, operation=operation)
