"""How volumes reach servers: the configured exports of this machine, opened once per process."""

from functools import cache

from django.conf import settings

from drivers.errors import ConfigurationError
from drivers.export.base import ExportDriver
from storage_project.config import configuration


@cache
def open_export(name: str) -> ExportDriver:
    """The driver of the export `name`. Raises `ConfigurationError` naming what is wrong."""
    try:
        export = configuration().exports[name]
    except KeyError:
        raise ConfigurationError(f"exports.{name}: not in {settings.STORAGE_CONFIG}") from None
    return export.driver_class(export.options, name=name, home=settings.STORAGE_HOME)


def exports_of(backend: str) -> list[str]:
    """The exports that `[backends.<backend>]` offers, the preferred one first."""
    try:
        return configuration().backends[backend].exports
    except KeyError:
        raise ConfigurationError(f"backends.{backend}: not in {settings.STORAGE_CONFIG}") from None
