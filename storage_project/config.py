"""The TOML file with backends: what an operator configures, checked once at start.

[backends.fast]
driver = "file"                     # a shipped driver, or the dotted path of your own
path = "volumes/fast"               # every key that is not named below is the driver's
availability_zone = "nova"
max_over_subscription_ratio = 20.0  # how far a thin pool may be promised beyond its size
reserved_percentage = 0             # of the size, kept free
preference = 0                      # higher is taken first
workers = 2                         # operations that run on it at once
"""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from django.conf import settings

from drivers.errors import ConfigurationError
from drivers.loading import load
from drivers.options import Option, read_options
from drivers.volume.base import VolumeDriver

DEFAULT_AVAILABILITY_ZONE = "nova"


@dataclass(frozen=True, kw_only=True)
class BackendTable:
    """What Khoi itself reads of a `[backends.<name>]` table."""

    driver: Annotated[str, Option("the name of a shipped driver, or the dotted path of a class")]
    availability_zone: Annotated[str, Option("where it stands")] = DEFAULT_AVAILABILITY_ZONE
    max_over_subscription_ratio: Annotated[
        float, Option("how much a thin pool promises for each GiB it has", at_least=1)
    ] = 20.0
    reserved_percentage: Annotated[
        int, Option("how much of a pool is kept free", at_least=0, at_most=99)
    ] = 0
    preference: Annotated[int, Option("pools with a higher one are taken first")] = 0
    workers: Annotated[int, Option("how many operations run on it at once", at_least=1)] = 2


@dataclass(frozen=True, kw_only=True)
class Backend(BackendTable):
    """One configured backend: its driver, and what the driver made of its part of the table."""

    name: str
    driver_class: type[VolumeDriver]
    options: Any


@dataclass(frozen=True)
class Configuration:
    """Everything in the file. An absent file is an empty configuration: an API without storage."""

    backends: Mapping[str, Backend] = field(default_factory=dict)


OWN_KEYS = {each.name for each in fields(BackendTable)}


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
    checked = read_options(BackendTable, own, where=where)
    try:
        driver_class: type[VolumeDriver] = load("volume", checked.driver)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}.driver: {error}") from error
    return Backend(
        name=name,
        driver_class=driver_class,
        options=read_options(driver_class.Options, options, where=where),
        **asdict(checked),
    )


@cache
def configuration() -> Configuration:
    """The configuration of this process, read once from `STORAGE_CONFIG` and what was added."""
    backends: dict[str, Backend] = {}
    for path in (settings.STORAGE_CONFIG, *_added):
        more = load_configuration(path).backends
        if twice := backends.keys() & more.keys():
            raise ConfigurationError(f"backends.{min(twice)}: {path.name} has one too")
        backends |= more
    return Configuration(backends)


_added: list[Path] = []


def add_configuration(path: Path) -> None:
    """Use the backends of one more file, in this process and in what it forks from now on."""
    _added.append(path)
    configuration.cache_clear()
