"""What can be asked of a server's volumes. Each of these answers a request, in one transaction."""

from django.conf import settings
from django.db import transaction

from storage_project.api.faults import Conflict, NotFound
from storage_project.identity.caller import Caller
from storage_project.operations.flow import advance
from storage_project.operations.services import active_operations, open_operation
from volumes.attachment_state import changing_attachments
from volumes.models import Attachment, Server, Volume
from volumes.removal import remove_attachment_row
from volumes.services.attachments import add_attachment, require_reservable
from volumes.services.rows import lock_row, refuse

# A disk can be plugged into a server that runs, and into one that is only paused.
RUNNING = ("ACTIVE", "PAUSED")


def attach_to_server(
    *, server: Server, volume: Volume, caller: Caller, attach_mode: str = "rw"
) -> Attachment:
    """Attach a volume to a server, by `attachment.connect` and then `server.attach`.

    Raises `Conflict` for a server that does not run, and `StateConflict` unless the volume is free.
    """
    if server.status not in RUNNING:
        raise Conflict(
            f"Cannot attach a volume to server {server.pk}: it is {server.status}, and must be "
            f"one of {', '.join(RUNNING)}."
        )
    with changing_attachments(volume.pk) as current:
        if current.attachments.filter(server_id=server.pk).exists():
            raise refuse(current, f"Volume {volume.pk} is attached to server {server.pk} already.")
        require_reservable(current)
        attachment = add_attachment(
            current,
            caller,
            status="attaching",
            server_id=server.pk,
            attach_mode=attach_mode,
            connector={"host": server.host, "initiator": initiator_of(server.host)},
        )
        open_operation(
            kind="attachment.connect",
            resource=attachment,
            project_id=attachment.project_id,
            caller=caller,
            for_server=True,
        )
    return attachment


def initiator_of(host: str) -> str:
    """The iSCSI name under which the hypervisors of a host connect."""
    return f"iqn.2026-01.io.khoi.host:{host}"


def detach_from_server(*, attachment: Attachment, caller: Caller) -> None:
    """Detach a volume from a server, by `server.detach` and then `attachment.delete`.

    `StateConflict` while it is being attached or detached, telling what by.
    """
    with changing_attachments(attachment.volume_id):
        current = lock_row(attachment)
        require_not_being_detached(current)
        operation = open_operation(
            kind="server.detach",
            resource=current,
            project_id=current.project_id,
            caller=caller,
            was=current.status,
        )
        if current.status == "error_detaching":
            advance(current, "delete", operation=operation)
        else:
            advance(current, "begin_detaching", operation=operation)


def forget_servers(*, hypervisor: str) -> None:
    """Remove the servers of a hypervisor that is no more; what was attached to them is detached."""
    for server in Server.objects.filter(host=settings.STORAGE_HOST, hypervisor=hypervisor):
        for attachment in Attachment.objects.filter(server_id=server.pk):
            with changing_attachments(attachment.volume_id):
                remove_attachment_row(lock_row(attachment))
        server.delete()


def require_not_being_detached(attachment: Attachment) -> None:
    """Refuse what is under way, and say what it waits for."""
    under_way = active_operations(attachment.pk).filter(kind="server.detach").first()
    if under_way:
        raise refuse(
            attachment,
            f"Volume {attachment.volume_id} is being detached from server {attachment.server_id} "
            f"already: operation {under_way.pk} {under_way.phase or 'has just begun'}.",
        )


def give_server(*, server: Server, project_id: str) -> None:
    """Let a server belong to another project. `Conflict` while anything is attached to it, for that
    is of the project that has it now."""
    with transaction.atomic():
        current = Server.objects.select_for_update().filter(pk=server.pk).first()
        if current is None:
            raise NotFound("Instance", server.pk)
        if Attachment.objects.filter(server_id=server.pk).exists():
            raise Conflict(
                f"Server {server.pk} cannot be given to another project: detach its volumes first."
            )
        Server.objects.filter(pk=server.pk).update(project_id=project_id)
