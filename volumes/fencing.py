"""Whether a volume may be taken away from a client that does not let it go by itself."""

from drivers.errors import ConfigurationError
from drivers.hypervisor.base import ServerStatus
from volumes.exports import open_export
from volumes.models import Attachment, Server

# From its connection to the end of its detachment a server may read and write the volume.
USED = ("attaching", "attached", "detaching")


def used_by_server(attachment: Attachment) -> bool:
    """Whether the attachment is a server's, which may be using it."""
    return attachment.server_id is not None and attachment.status in USED


def held_by_server(attachment: Attachment) -> bool:
    """Whether a server has the volume, as far as can be known: one of ours that is off has not."""
    return used_by_server(attachment) and _status_of_ours(attachment) != ServerStatus.SHUTOFF


def held_by_ours(attachment: Attachment) -> bool:
    """Whether a server has the volume that a hypervisor of ours runs: we know whom to ask."""
    status = _status_of_ours(attachment)
    return used_by_server(attachment) and status not in (None, ServerStatus.SHUTOFF)


def _status_of_ours(attachment: Attachment) -> str | None:
    if attachment.server_id is None:
        return None
    servers = Server.objects.filter(pk=attachment.server_id)
    return servers.values_list("status", flat=True).first()


def cuts_off(attachment: Attachment) -> bool:
    """Whether its export, once revoked, reaches nobody any more, also who has it open."""
    if not attachment.export:
        return False
    try:
        return open_export(attachment.export).fences
    except ConfigurationError:
        return False  # this machine does not know it, so it promises nothing
