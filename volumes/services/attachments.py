"""What can be asked of an attachment. Each of these answers a request, in one transaction."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models.functions import Now
from django.utils import timezone

from storage_project.api.faults import Conflict
from storage_project.identity.caller import Caller
from storage_project.identity.policy import allows
from storage_project.operations.flow import advance, record
from storage_project.operations.services import active_operations, open_operation
from volumes.attachment_state import changing_attachments
from volumes.fencing import held_by_ours, used_by_server
from volumes.models import Attachment, Volume
from volumes.removal import remove_attachment_row
from volumes.services.rows import lock_row, refuse, require_not_copied
from volumes.states import BY_ATTACHMENTS


def create_attachment(
    *,
    volume: Volume,
    caller: Caller,
    server_id: UUID | None = None,
    attach_mode: str = "rw",
    connector: Mapping[str, str] | None = None,
    mountpoint: str | None = None,
) -> Attachment:
    """Reserve a volume; with a `connector`, an `attachment.connect` operation connects it, too.

    Raises `StateConflict` unless the volume is free: available, or in use by others if its type
    has multiattach, or in use by this very server, as while that moves to another host.
    """
    with changing_attachments(volume.pk) as current:
        require_reservable(current, server_id)
        attachment = add_attachment(
            current,
            caller,
            status="attaching" if connector else "reserved",
            server_id=server_id,
            attach_mode=attach_mode,
            mountpoint=mountpoint,
            connector=connector,
        )
        if connector:
            _open_connect(attachment, caller)
    return attachment


def require_reservable(volume: Volume, server_id: UUID | None = None) -> None:
    """Refuse a volume, as it is now, that is not free."""
    allowed = BY_ATTACHMENTS if volume.multiattach else ("available",)
    if volume.status not in allowed and not _is_used_by_this_alone(volume, server_id):
        raise refuse(
            volume,
            f"Volume {volume.pk} status must be {' or '.join(allowed)} to reserve, but the current "
            f"status is {volume.status}.",
        )
    if volume.pool_id is None:
        raise refuse(volume, f"Volume {volume.pk} cannot be attached: it is on no backend.")
    require_not_copied(volume)


def _is_used_by_this_alone(volume: Volume, server_id: UUID | None) -> bool:
    if server_id is None or volume.status not in BY_ATTACHMENTS:
        return False
    users = volume.attachments.exclude(status="error_attaching")
    return {*users.values_list("server_id", flat=True)} == {server_id}


def add_attachment(volume: Volume, caller: Caller, **values: Any) -> Attachment:
    """The row of a new attachment of a locked volume; it belongs to the volume's project."""
    if volume.readonly:
        values["attach_mode"] = "ro"
    attachment = Attachment.objects.create(
        project_id=volume.project_id, user_id=caller.user_id, volume=volume, **values
    )
    record(attachment, "")
    return attachment


def connect_attachment(
    *,
    attachment: Attachment,
    caller: Caller,
    connector: Mapping[str, str],
    attach_mode: str = "rw",
    mountpoint: str | None = None,
) -> None:
    """Say from which host the volume is to be used; an `attachment.connect` operation makes its
    export. Once it is connected, the same connector changes nothing and another is refused.

    Read-only if either this or its creation says so.
    """
    with changing_attachments(attachment.volume_id) as volume:
        connect(
            lock_row(attachment),
            volume,
            caller,
            connector=connector,
            attach_mode=attach_mode,
            mountpoint=mountpoint,
        )


def connect(
    attachment: Attachment,
    volume: Volume,
    caller: Caller,
    *,
    connector: Mapping[str, str],
    attach_mode: str,
    mountpoint: str | None,
) -> None:
    """The same for a volume that is locked."""
    if attachment.export or _is_being_connected(attachment):
        require_same_host(attachment, connector)
        return
    if volume.status not in BY_ATTACHMENTS:
        raise refuse(
            volume, f"Volume {volume.pk} cannot be connected: its status is {volume.status}."
        )
    values: dict[str, Any] = {
        "connector": dict(connector),
        "attach_mode": "ro" if "ro" in (attach_mode, attachment.attach_mode) else "rw",
        "mountpoint": mountpoint or attachment.mountpoint,
    }
    if attachment.status in ("attaching", "attached"):
        Attachment.objects.filter(pk=attachment.pk).update(updated_at=Now(), **values)
    else:
        advance(attachment, "connect", **values)
    _open_connect(attachment, caller)


def _open_connect(attachment: Attachment, caller: Caller) -> None:
    open_operation(
        kind="attachment.connect",
        resource=attachment,
        project_id=attachment.project_id,
        caller=caller,
    )


def _is_being_connected(attachment: Attachment) -> bool:
    return active_operations(attachment.pk).filter(kind="attachment.connect").exists()


def require_same_host(attachment: Attachment, connector: Mapping[str, str]) -> None:
    """Refuse a connector of another host than the attachment was connected for."""
    if not is_of_same_host(attachment, connector):
        raise refuse(
            attachment,
            f"Attachment {attachment.pk} is connected for the host {attachment.host_name}; delete "
            f"it, and make one for {connector['host']}.",
        )


def is_of_same_host(attachment: Attachment, connector: Mapping[str, str]) -> bool:
    """Whether this is who the attachment was connected for."""
    known = attachment.connector or {}
    one, other = known.get("initiator"), connector.get("initiator")
    return known.get("host") == connector["host"] and (not one or not other or one == other)


def complete_attachment(*, attachment: Attachment) -> None:
    """The client has connected: the volume is in use. `StateConflict` before there is anything to
    connect to."""
    with changing_attachments(attachment.volume_id):
        current = lock_row(attachment)
        if current.status == "attached":
            return
        if other := active_operations(current.pk).first():
            raise refuse(
                current,
                f"Attachment {current.pk} is still being worked on, by {other.kind} {other.pk}; "
                f"try again later.",
            )
        advance(current, "complete", attached_at=timezone.now())


def delete_attachment(*, attachment: Attachment, caller: Caller) -> None:
    """Delete an attachment: one that is not exported at once, else by an `attachment.delete`
    operation. What still connects it is told to stop first.

    `Conflict` for one that a server may be using, unless the caller is, or vouches for, a service.
    """
    with changing_attachments(attachment.volume_id):
        current = lock_row(attachment)
        require_unused(current, caller)
        disconnect(current, caller)


def require_unused(attachment: Attachment, caller: Caller) -> None:
    """Only the service that runs the server knows when it has let go (OSSA-2023-003). Of those that
    we run ourselves that is `server.detach`, whoever asks."""
    may = allows(caller, "attachment:delete_used") and not held_by_ours(attachment)
    if used_by_server(attachment) and not may:
        raise Conflict(
            f"Detach volume from instance {attachment.server_id} using the Compute API: "
            f"attachment {attachment.pk} is in use by it."
        )


def disconnect(attachment: Attachment, caller: Caller, *, keeps_row: bool = False) -> None:
    """Take the export of an attachment away, and its row with it; its volume is locked."""
    under_way = active_operations(attachment.pk)
    deletes = under_way.filter(kind="attachment.delete")
    keep_row = [each.arguments.get("keeps_row", False) for each in deletes]
    if keep_row and (keeps_row or not all(keep_row)):
        return  # it goes already
    if not attachment.export and not under_way.exists():
        if not keeps_row:
            remove_attachment_row(attachment)
        return
    operation = open_operation(
        kind="attachment.delete",
        resource=attachment,
        project_id=attachment.project_id,
        caller=caller,
        waits=True,
        was=attachment.status,
        keeps_row=keeps_row,
    )
    if attachment.status != "detaching":
        advance(attachment, "delete", operation=operation)
    under_way.exclude(kind=operation.kind).update(cancel_requested=True, updated_at=Now())
