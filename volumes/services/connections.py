"""Attaching as clients did before attachments could be named: by actions on the volume.

Each of them finds the attachment that is meant, or makes one, so that every export has a row:

    os-reserve                an attachment, attaching, of nobody yet
    os-initialize_connection  connects that one, or else a new one
    os-attach                 it is attached
    os-begin_detaching        the only attached one is detaching; os-roll_detaching takes that back
    os-terminate_connection   its export goes
    os-detach                 it goes
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.utils import timezone

from storage_project.api.faults import BadRequest, Conflict
from storage_project.identity.caller import Caller
from storage_project.operations.flow import advance
from storage_project.operations.services import active_operations
from volumes.attachment_state import changing_attachments
from volumes.fencing import cuts_off, held_by_server
from volumes.models import Attachment, Volume
from volumes.removal import remove_attachment_row
from volumes.services.attachments import (
    add_attachment,
    connect,
    disconnect,
    is_of_same_host,
    require_reservable,
    require_unused,
)
from volumes.services.rows import refuse


def reserve_volume(*, volume: Volume, caller: Caller) -> None:
    """Keep a volume for who is about to attach it."""
    with changing_attachments(volume.pk) as current:
        require_reservable(current)
        add_attachment(current, caller, status="attaching")


def unreserve_volume(*, volume: Volume) -> None:
    """Give a reservation back that nobody has connected; without one nothing happens."""
    with changing_attachments(volume.pk) as current:
        reserved = _first(each for each in _attachments(current) if _is_mere_reservation(each))
        if reserved is not None:
            remove_attachment_row(reserved)


def initialize_connection(
    *,
    volume: Volume,
    caller: Caller,
    connector: Mapping[str, str],
    attach_mode: str = "rw",
    mountpoint: str | None = None,
) -> Attachment:
    """Connect a volume to a host; the same host again gets the same connection."""
    with changing_attachments(volume.pk) as current:
        attachments = _attachments(current)
        attachment = (
            _first(each for each in attachments if _is_connected(each, connector))
            or _first(each for each in attachments if _waits_for_connection(each, connector))
            or _new_attachment(current, caller)
        )
        connect(
            attachment,
            current,
            caller,
            connector=connector,
            attach_mode=attach_mode,
            mountpoint=mountpoint,
        )
    return attachment


def attach_volume(
    *,
    volume: Volume,
    caller: Caller,
    server_id: UUID | None,
    host_name: str | None,
    mountpoint: str,
    attach_mode: str,
) -> None:
    """The client has connected a volume to a server, or to a host."""
    with changing_attachments(volume.pk) as current:
        if current.readonly and attach_mode == "rw":
            raise BadRequest(f"mode: volume {current.pk} is read-only; attach it with mode ro.")
        attachments = _attachments(current)
        if any(
            each.status == "attached" and _is_at(each, server_id, host_name) for each in attachments
        ):
            return
        attaching = [
            each
            for each in attachments
            if each.status == "attaching" and not active_operations(each.pk).exists()
        ]
        attachment = (
            _first(each for each in attaching if _is_at(each, server_id, host_name))
            or _first(each for each in attaching if _may_become(each, server_id, host_name))
            or _new_attachment(current, caller)
        )
        advance(
            attachment,
            "complete",
            server_id=server_id,
            mountpoint=mountpoint,
            attach_mode=attach_mode,
            attached_at=timezone.now(),
            connector=attachment.connector or (host_name and {"host": host_name}) or None,
        )


def begin_detaching(*, volume: Volume) -> None:
    """A client is about to detach a volume. Where several have it, nobody can tell which, and the
    volume stays in use."""
    with changing_attachments(volume.pk) as current:
        attached = [each for each in _attachments(current) if each.status == "attached"]
        if not attached:
            raise refuse(
                current,
                f"Unable to detach volume {current.pk}: its status must be in-use, but the current "
                f"status is {current.status}.",
            )
        if len(attached) == 1:
            advance(attached[0], "begin_detaching")


def roll_detaching(*, volume: Volume) -> None:
    """The client could not detach it after all."""
    with changing_attachments(volume.pk) as current:
        for attachment in _attachments(current):
            if attachment.status == "detaching" and not active_operations(attachment.pk).exists():
                advance(attachment, "roll_detaching")


def terminate_connection(
    *, volume: Volume, caller: Caller, connector: Mapping[str, str] | None
) -> Attachment | None:
    """A host has disconnected: its export goes. What was attached there is detached by itself.

    These three return the attachment that they have found, if there was one.
    """
    with changing_attachments(volume.pk) as current:
        exported = [each for each in _attachments(current) if each.export]
        if connector:
            exported = [each for each in exported if is_of_same_host(each, connector)]
        if not exported:
            return None
        attachment = _only(exported, current)
        require_unused(attachment, caller)
        disconnect(attachment, caller, keeps_row=attachment.attached_at is not None)
    return attachment


def detach_volume(
    *, volume: Volume, caller: Caller, attachment_id: UUID | None = None
) -> Attachment | None:
    """The client has detached a volume; without an id the only attachment there is."""
    with changing_attachments(volume.pk) as current:
        attachment = _meant(current, attachment_id)
        if attachment is not None:
            require_unused(attachment, caller)
            disconnect(attachment, caller)
    return attachment


def force_detach(
    *, volume: Volume, caller: Caller, attachment_id: UUID | None = None
) -> Attachment | None:
    """Take a volume away from a client that does not let it go.

    `Conflict` where that would let two servers write to it: its export cuts nobody off, and the
    server may still hold it.
    """
    with changing_attachments(volume.pk) as current:
        attachment = _meant(current, attachment_id)
        if attachment is None:
            return None
        if held_by_server(attachment) and not cuts_off(attachment):
            raise Conflict(
                f"Attachment {attachment.pk} cannot be taken away from server "
                f"{attachment.server_id}: its export does not cut it off. Stop the server first."
            )
        disconnect(attachment, caller)
    return attachment


def _attachments(volume: Volume) -> list[Attachment]:
    return [*volume.attachments.exclude(status="error_attaching").order_by("created_at", "id")]


def _first(attachments: Iterable[Attachment]) -> Attachment | None:
    return next(iter(attachments), None)


def _only(attachments: list[Attachment], volume: Volume) -> Attachment:
    if len(attachments) > 1:
        raise BadRequest(
            f"Volume {volume.pk} has {len(attachments)} attachments: say which one, by its id."
        )
    return attachments[0]


def _meant(volume: Volume, attachment_id: UUID | None) -> Attachment | None:
    """The attachment with this id; or the only one that is attached, or was; if any."""
    attachments = _attachments(volume)
    if attachment_id is not None:
        return _first(each for each in attachments if each.pk == attachment_id)
    attached = [each for each in attachments if each.attached_at is not None]
    return _only(attached, volume) if attached else None


def _new_attachment(volume: Volume, caller: Caller) -> Attachment:
    require_reservable(volume)
    return add_attachment(volume, caller, status="attaching")


def _is_mere_reservation(attachment: Attachment) -> bool:
    return attachment.status == "attaching" and attachment.connector is None


def _is_connected(attachment: Attachment, connector: Mapping[str, str]) -> bool:
    return attachment.status in ("attaching", "attached") and is_of_same_host(attachment, connector)


def _waits_for_connection(attachment: Attachment, connector: Mapping[str, str]) -> bool:
    """It was reserved, or called attached, before anybody said from which host exactly."""
    return (
        attachment.status in ("attaching", "attached")
        and not attachment.export
        and attachment.host_name in (None, connector["host"])
    )


def _is_at(attachment: Attachment, server_id: UUID | None, host_name: str | None) -> bool:
    """Whether it is of this server or, where none is named, of this host."""
    if server_id is not None:
        return attachment.server_id == server_id
    return attachment.server_id is None and attachment.host_name == host_name


def _may_become(attachment: Attachment, server_id: UUID | None, host_name: str | None) -> bool:
    """Whether nobody has said yet whose it is. A server's was connected for the host it is on."""
    if attachment.server_id is not None:
        return False
    return server_id is not None or attachment.host_name in (None, host_name)
