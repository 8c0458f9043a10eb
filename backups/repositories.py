"""The configured repositories of this machine, opened once per process, and where others are."""

from functools import cache
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from backups.known import known_repository
from backups.opened_once import OpenedOnce
from drivers.errors import ConfigurationError
from drivers.repository.base import RepositoryDriver
from drivers.repository.throttled import Throttle, ThrottledRepository
from storage_project.config import Repository, configuration
from storage_project.operations.messages import Code, StepError
from storage_project.operations.states import DATA_QUEUES
from volumes.models import Pool, Service
from volumes.pools import BACKUP_BINARY, IS_UP, beat, queue_of

BINARY = BACKUP_BINARY


@OpenedOnce
def open_repository(name: str) -> RepositoryDriver:
    """The driver of `[repositories.<name>]`. Raises `ConfigurationError` naming what is wrong."""
    repository = configured(name)
    driver = repository.driver_class(repository.options, name=name, home=settings.STORAGE_HOME)
    bounds = [_own_bounds(repository), bounds_of_this_machine()]
    throttles = [throttle for throttle in bounds if throttle is not None]
    return ThrottledRepository(driver, *throttles) if throttles else driver


def _own_bounds(repository: Repository) -> Throttle | None:
    bytes_per_s, calls = repository.max_bytes_per_s, repository.max_calls
    return Throttle(bytes_per_s=bytes_per_s, calls=calls) if bytes_per_s or calls else None


@cache
def bounds_of_this_machine() -> Throttle | None:
    """What all repositories share: one process makes all copies of a machine."""
    bytes_per_s = configuration().copies.bytes_per_s
    return Throttle(bytes_per_s=bytes_per_s) if bytes_per_s else None


def configured(name: str) -> Repository:
    """The table of a repository. Raises `ConfigurationError` where there is none."""
    try:
        return configuration().repositories[name]
    except KeyError:
        raise ConfigurationError(f"repositories.{name}: not in {settings.STORAGE_CONFIG}") from None


def report_repository(name: str, *, down_reason: str = "") -> None:
    """Say that this machine reaches the repository, or why it cannot."""
    known_repository(name)
    host = f"{settings.STORAGE_HOST}@{name}"
    beat(BINARY, host, configured(name).availability_zone, down_reason=down_reason)


def repositories_beside(pool: Pool) -> dict[str, Service]:
    """The repositories that the machine of a pool reaches, by name: first those that are up."""
    services = Service.objects.filter(binary=BINARY, host__startswith=f"{_machine_of(pool)}@")
    found = services.annotate(is_up=IS_UP).order_by("-is_up", "host")
    return {service.host.partition("@")[2]: service for service in found}


def copying_queue(pool: Pool, container: str) -> str:
    """Where volumes of the pool are copied to and from a repository. `StepError` when the machine
    of the pool does not reach it."""
    if container not in repositories_beside(pool):
        raise StepError(
            Code.NO_REPOSITORY, f"The machine of {pool.host} has no repository {container}."
        )
    if pool.capabilities.get("in_process"):
        # What its worker keeps in memory no other process can read.
        return queue_of(pool.host)
    return DATA_QUEUES + _machine_of(pool)


def repository_queue(name: str) -> str:
    """Where something is done in a repository that takes no volume."""
    service = services_of(name).first()
    if service is None:
        raise StepError(Code.NO_REPOSITORY, f"No machine has the repository {name}.")
    host: str = service.host
    return DATA_QUEUES + host.partition("@")[0]


def services_of(name: str) -> "QuerySet[Any]":
    """Who reaches a repository, each with `is_up`; first those that are."""
    services = Service.objects.filter(binary=BINARY, host__endswith=f"@{name}")
    return services.annotate(is_up=IS_UP).order_by("-is_up", "host")


def _machine_of(pool: Pool) -> str:
    return pool.host.partition("@")[0]
