"""The TOML file with backends: what an operator configures, checked once at start.

    [backends.fast]
    driver = "file"                     # a shipped driver, or the dotted path of your own
    path = "volumes/fast"               # every key that is not named below is the driver's
    availability_zone = "nova"
    max_over_subscription_ratio = 20.0  # how far a thin pool may be promised beyond its size
    reserved_percentage = 0             # of the size, kept free
    preference = 0                      # higher is taken first, all else being equal
    workers = 2                         # operations that run on it at once
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

from drivers.options import ConfigurationError, read_options

DEFAULT_AVAILABILITY_ZONE = "nova"


@dataclass(frozen=True, slots=True)
class Backend:
    """One `[backends.<name>]` table: what Khoi itself reads, and `options` for the driver."""

    name: str
    driver: str
    availability_zone: str = DEFAULT_AVAILABILITY_ZONE
    max_over_subscription_ratio: float = 20.0
    reserved_percentage: int = 0
    preference: int = 0
    workers: int = 2
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything in the file. An absent file is an empty configuration: an API without storage."""

    backends: Mapping[str, Backend] = field(default_factory=dict)


OWN_KEYS = {f.name for f in fields(Backend)} - {"name", "options"}


def load_configuration(path: Path) -> Configuration:
    """Read and check `path`; a mistake raises `ConfigurationError` that names the key."""
    try:
        document = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return Configuration()
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path.name}: {error}") from error
    for key in document.keys() - {"backends"}:
        raise ConfigurationError(f"{key}: unknown table; known is [backends.<name>]")
    tables = document.get("backends", {})
    if not isinstance(tables, dict):
        raise ConfigurationError("backends: must be tables, [backends.<name>]")
    return Configuration(backends={name: _backend(name, table) for name, table in tables.items()})


def _backend(name: str, table: object) -> Backend:
    where = f"backends.{name}"
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where}: must be a table, [{where}]")
    if not name.replace("-", "").replace("_", "").isalnum():
        raise ConfigurationError(f"{where}: a name is letters, digits, - and _")
    own = {key: value for key, value in table.items() if key in OWN_KEYS}
    options = {key: value for key, value in table.items() if key not in OWN_KEYS}
    backend = read_options(Backend, own | {"name": name, "options": options}, where=where)
    if backend.max_over_subscription_ratio < 1:
        raise ConfigurationError(f"{where}.max_over_subscription_ratio: must be 1 or more")
    if not 0 <= backend.reserved_percentage < 100:
        raise ConfigurationError(f"{where}.reserved_percentage: must be from 0 to 99")
    if backend.workers < 1:
        raise ConfigurationError(f"{where}.workers: must be 1 or more")
    return backend


@cache
def configuration() -> Configuration:
    """The configuration of this process, read once from `STORAGE_CONFIG`."""
    return load_configuration(settings.STORAGE_CONFIG)
