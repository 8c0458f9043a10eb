"""Project-scoped reads of servers and of what is attached to them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet, Sum

from storage_project.api.faults import NotFound
from storage_project.api.lookup import get_by_uuid
from storage_project.identity.caller import Caller
from volumes.models import Attachment, Server
from volumes.selectors import attachments_of


def servers_of(caller: Caller, *, all_projects: bool = False) -> "QuerySet[Server]":
    """The servers of the caller's project, or of all."""
    servers = Server.objects.all()
    return servers if all_projects else servers.filter(project_id=caller.project_id)


def sizes_of(caller: Caller) -> list[tuple[int, int]]:
    """The processors and the MiB of memory that the servers a caller may see have, the smallest
    first."""
    sizes = servers_of(caller, all_projects=caller.is_admin).values_list("vcpus", "memory_mib")
    return [*sizes.distinct().order_by("vcpus", "memory_mib")]


def usage_of(project_id: str) -> dict[str, int]:
    """How many servers a project has, and how many processors and MiB of memory they have."""
    used = Server.objects.filter(project_id=project_id).aggregate(
        instances=Count("pk"), cores=Sum("vcpus", default=0), ram=Sum("memory_mib", default=0)
    )
    return dict(used)


def get_server(caller: Caller, server_id: UUID | str) -> Server:
    """One server; an admin's may be of any project. 404 for anything else, a non-UUID too."""
    return get_by_uuid(servers_of(caller, all_projects=caller.is_admin), "Instance", server_id)


def attachments_of_server(caller: Caller, server: Server) -> "QuerySet[Attachment]":
    """What is attached to a server."""
    return attachments_of(caller, all_projects=caller.is_admin).filter(server_id=server.pk)


def get_attachment_of_server(caller: Caller, server: Server, volume_id: UUID | str) -> Attachment:
    """How a volume is attached to a server. 404 when it is not."""
    try:
        wanted = UUID(str(volume_id))
    except ValueError:
        raise NotFound("Volume attachment of volume", volume_id) from None
    found = attachments_of_server(caller, server).filter(volume_id=wanted).first()
    if found is None:
        raise NotFound("Volume attachment of volume", volume_id)
    return found


def read_attached(servers: Sequence[Any]) -> None:
    """Give each of these servers `attached`, the ids of its volumes, in one query for all."""
    attached: dict[UUID | None, list[UUID]] = {server.pk: [] for server in servers}
    found = Attachment.objects.filter(server_id__in=attached).order_by("created_at", "id")
    for server_id, volume_id in found.values_list("server_id", "volume_id"):
        attached[server_id].append(volume_id)
    for server in servers:
        server.attached = attached[server.pk]
