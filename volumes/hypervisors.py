"""The configured hypervisors of this machine, opened once per process, and what they report."""

from functools import cache

import structlog
from django.conf import settings
from django.db.models.functions import Now

from drivers.errors import ConfigurationError
from drivers.hypervisor.base import HypervisorDriver, ServerInfo, ServerStatus
from storage_project.config import Hypervisor, configuration
from storage_project.identity.selectors import find_project
from storage_project.operations.states import COMPUTE_QUEUES
from volumes.models import Attachment, Server

log = structlog.get_logger(__name__)


@cache
def open_hypervisor(name: str) -> HypervisorDriver:
    """The driver of `[hypervisors.<name>]`. Raises `ConfigurationError` naming what is wrong."""
    hypervisor = _configured(name)
    return hypervisor.driver_class(hypervisor.options, name=name, home=settings.STORAGE_HOME)


def _configured(name: str) -> Hypervisor:
    try:
        return configuration().hypervisors[name]
    except KeyError:
        raise ConfigurationError(f"hypervisors.{name}: not in {settings.STORAGE_CONFIG}") from None


def compute_queue(host: str) -> str:
    """The queue of the workers that reach the hypervisors of a host."""
    return COMPUTE_QUEUES + host


def report_hypervisor(name: str) -> None:
    """Write which servers the hypervisor has, and how they stand. `DriverError` when it cannot
    tell."""
    servers = open_hypervisor(name).list_servers()
    project = find_project(name=_configured(name).project)
    if project is None:
        log.warning("its servers have no project", hypervisor=name)
        return
    for server in servers:
        _write(server, hypervisor=name, project_id=project.pk)
    seen = [server.server_id for server in servers]
    gone = Server.objects.filter(host=settings.STORAGE_HOST, hypervisor=name).exclude(pk__in=seen)
    # What is attached to one is found again when it starts anew, and detached meanwhile.
    kept = Attachment.objects.filter(server_id__in=gone.values("pk")).values("server_id")
    gone.filter(pk__in=kept).update(status=ServerStatus.SHUTOFF)
    gone.exclude(pk__in=kept).delete()


def _write(server: ServerInfo, *, hypervisor: str, project_id: str) -> None:
    now = {
        "name": server.name,
        "status": server.status,
        "host": settings.STORAGE_HOST,
        "hypervisor": hypervisor,
        "vcpus": server.vcpus,
        "memory_mib": server.memory_mib,
    }
    if not Server.objects.filter(pk=server.server_id).update(**now, reported_at=Now()):
        Server.objects.create(pk=server.server_id, project_id=project_id, **now)
