"""The configured backends of this machine, opened once per process."""

from functools import cache

from django.conf import settings
from django.db.models.functions import Now

from drivers.errors import ConfigurationError
from drivers.volume.base import VolumeDriver
from storage_project.config import Backend, configuration
from volumes.models import Pool
from volumes.pools import beat

BINARY = "cinder-volume"


@cache
def open_backend(name: str) -> VolumeDriver:
    """The driver of `[backends.<name>]`. Raises `ConfigurationError` naming what is wrong."""
    backend = _configured(name)
    return backend.driver_class(backend.options, name=name, home=settings.STORAGE_HOME)


def _configured(name: str) -> Backend:
    try:
        return configuration().backends[name]
    except KeyError:
        raise ConfigurationError(f"backends.{name}: not in {settings.STORAGE_CONFIG}") from None


def host_of(name: str) -> str:
    """`host@backend`: a backend of this machine, as services and queues call it."""
    return f"{settings.STORAGE_HOST}@{name}"


def report_backend(name: str) -> None:
    """Write how the backend's pools stand now. Raises `DriverError` when it cannot tell."""
    backend = _configured(name)
    stats = open_backend(name).stats()
    service = beat(BINARY, host_of(name), backend.availability_zone)
    for pool in stats:
        Pool.objects.update_or_create(
            service=service,
            name=pool.name,
            defaults={
                "backend": name,
                "total_gib": pool.total_gib,
                "free_gib": pool.free_gib,
                "thin": pool.thin,
                # Each attachment has an export of its own, so several of one volume need no more.
                "capabilities": {
                    "multiattach": True,
                    "in_process": backend.driver_class.in_process,
                    **pool.capabilities,
                },
                "max_over_subscription_ratio": backend.max_over_subscription_ratio,
                "reserved_percentage": backend.reserved_percentage,
                "preference": backend.preference,
                "reported_at": Now(),
            },
        )
