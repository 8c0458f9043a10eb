"""The TOML file: what an operator configures of the outside world, checked once at start.

[backends.fast]
driver = "file"                     # a shipped driver, or the dotted path of your own
path = "volumes/fast"               # every key that is not named below is the driver's
availability_zone = "nova"
max_over_subscription_ratio = 20.0  # how far a thin pool may be promised beyond its size
reserved_percentage = 0             # of the size, kept free
preference = 0                      # higher is taken first
workers = 2                         # operations that run on it at once
exports = ["file", "nbd"]           # how its volumes reach servers; the first that can

[exports.nbd]                       # only where an export is to be other than it is by itself
driver = "nbd"                      # by default, as the table is called
host = ""                           # the host that may attach; by default this one, "" is any

[hypervisors.local]
driver = "qemu"
sockets = "run/servers"             # the driver's
project = "demo"                    # whose servers they are, by the project's name
workers = 2                         # servers that are worked on at once

[repositories.main]
driver = "directory"
path = "backups"                    # the driver's
availability_zone = "nova"
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from django.conf import settings

from drivers.errors import ConfigurationError
from drivers.export.base import ExportDriver
from drivers.hypervisor.base import HypervisorDriver
from drivers.loading import load
from drivers.options import Option, read_options
from drivers.repository.base import RepositoryDriver
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
    exports: Annotated[
        list[str], Option("how its volumes reach servers: exports, in order of preference")
    ] = field(default_factory=list)  # left out, those that its driver prefers


@dataclass(frozen=True, kw_only=True)
class Backend(BackendTable):
    """One configured backend: its driver, and what the driver made of its part of the table."""

    name: str
    driver_class: type[VolumeDriver]
    options: Any


@dataclass(frozen=True, kw_only=True)
class ExportTable:
    """What Khoi itself reads of an `[exports.<name>]` table."""

    driver: Annotated[str, Option("the name of a shipped driver, or the dotted path of a class")]


@dataclass(frozen=True, kw_only=True)
class ExportProtocol(ExportTable):
    """One way in which volumes reach servers; without a table it is its driver's defaults."""

    name: str
    driver_class: type[ExportDriver]
    options: Any


@dataclass(frozen=True, kw_only=True)
class HypervisorTable:
    """What Khoi itself reads of a `[hypervisors.<name>]` table."""

    driver: Annotated[str, Option("the name of a shipped driver, or the dotted path of a class")]
    project: Annotated[str, Option("the project that its servers belong to")] = "demo"
    workers: Annotated[int, Option("how many servers are worked on at once", at_least=1)] = 2


@dataclass(frozen=True, kw_only=True)
class Hypervisor(HypervisorTable):
    """One configured hypervisor of this machine."""

    name: str
    driver_class: type[HypervisorDriver]
    options: Any


@dataclass(frozen=True, kw_only=True)
class RepositoryTable:
    """What Khoi itself reads of a `[repositories.<name>]` table."""

    driver: Annotated[str, Option("the name of a shipped driver, or the dotted path of a class")]
    availability_zone: Annotated[str, Option("where it stands")] = DEFAULT_AVAILABILITY_ZONE


@dataclass(frozen=True, kw_only=True)
class Repository(RepositoryTable):
    """One configured place for backups."""

    name: str
    driver_class: type[RepositoryDriver]
    options: Any


@dataclass(frozen=True)
class Configuration:
    """Everything in the file. An absent file is an empty configuration: an API without storage."""

    backends: Mapping[str, Backend] = field(default_factory=dict)
    exports: Mapping[str, ExportProtocol] = field(default_factory=dict)
    hypervisors: Mapping[str, Hypervisor] = field(default_factory=dict)
    repositories: Mapping[str, Repository] = field(default_factory=dict)


KINDS = ("backends", "exports", "hypervisors", "repositories")


def load_configuration(path: Path) -> Configuration:
    """Read and check `path`; a mistake raises `ConfigurationError` that names the key."""
    try:
        document = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return Configuration()
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path.name}: {error}") from error
    for key in document.keys() - set(KINDS):
        known = ", ".join(f"[{kind}.<name>]" for kind in KINDS)
        raise ConfigurationError(f"{key}: unknown table; known are {known}")
    backends = {name: _backend(name, table) for name, table in _tables(document, "backends")}
    own = {name: _export(name, table) for name, table in _tables(document, "exports")}
    used = {name for backend in backends.values() for name in backend.exports}
    return Configuration(
        backends=backends,
        exports={name: _export(name, {}) for name in used - own.keys()} | own,
        hypervisors={
            name: _hypervisor(name, table) for name, table in _tables(document, "hypervisors")
        },
        repositories={
            name: _repository(name, table) for name, table in _tables(document, "repositories")
        },
    )


def _tables(document: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The tables of one kind by name, each of them looked at for its form."""
    tables = document.get(kind, {})
    if not isinstance(tables, dict):
        raise ConfigurationError(f"{kind}: must be tables, [{kind}.<name>]")
    for name, table in tables.items():
        where = f"{kind}.{name}"
        if not isinstance(table, dict):
            raise ConfigurationError(f"{where}: must be a table, [{where}]")
        if not name.replace("-", "").replace("_", "").isalnum():
            raise ConfigurationError(f"{where}: a name is letters, digits, - and _")
        yield name, table


def _backend(name: str, table: Mapping[str, Any]) -> Backend:
    where = f"backends.{name}"
    own, options = _split(table, BackendTable)
    checked = read_options(BackendTable, own, where=where)
    driver_class: type[VolumeDriver] = _driver("volume", checked.driver, where)
    if "exports" not in own:
        checked = replace(checked, exports=list(driver_class.default_exports))
    return Backend(
        name=name,
        driver_class=driver_class,
        options=read_options(driver_class.Options, options, where=where),
        **asdict(checked),
    )


def _export(name: str, table: Mapping[str, Any]) -> ExportProtocol:
    where = f"exports.{name}"
    own, options = _split({"driver": name, **table}, ExportTable)
    checked = read_options(ExportTable, own, where=where)
    driver_class: type[ExportDriver] = _driver("export", checked.driver, where)
    if "host" in {each.name for each in fields(driver_class.Options)}:
        # A path of this machine says nothing to another, unless the operator knows better.
        options = {"host": settings.STORAGE_HOST, **options}
    return ExportProtocol(
        name=name,
        driver_class=driver_class,
        options=read_options(driver_class.Options, options, where=where),
        **asdict(checked),
    )


def _hypervisor(name: str, table: Mapping[str, Any]) -> Hypervisor:
    where = f"hypervisors.{name}"
    own, options = _split(table, HypervisorTable)
    checked = read_options(HypervisorTable, own, where=where)
    driver_class: type[HypervisorDriver] = _driver("hypervisor", checked.driver, where)
    return Hypervisor(
        name=name,
        driver_class=driver_class,
        options=read_options(driver_class.Options, options, where=where),
        **asdict(checked),
    )


def _repository(name: str, table: Mapping[str, Any]) -> Repository:
    where = f"repositories.{name}"
    own, options = _split(table, RepositoryTable)
    checked = read_options(RepositoryTable, own, where=where)
    driver_class: type[RepositoryDriver] = _driver("repository", checked.driver, where)
    return Repository(
        name=name,
        driver_class=driver_class,
        options=read_options(driver_class.Options, options, where=where),
        **asdict(checked),
    )


def _split(table: Mapping[str, Any], own: type[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What Khoi reads of a table, and what its driver does."""
    own_keys = {each.name for each in fields(own)}
    return (
        {key: value for key, value in table.items() if key in own_keys},
        {key: value for key, value in table.items() if key not in own_keys},
    )


def _driver(kind: str, name: str, where: str) -> type[Any]:
    try:
        return load(kind, name)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}.driver: {error}") from error


@cache
def configuration() -> Configuration:
    """The configuration of this process, read once from `STORAGE_CONFIG` and what was added."""
    whole = load_configuration(settings.STORAGE_CONFIG)
    for path in _added:
        more = load_configuration(path)
        for kind in ("backends", "hypervisors", "repositories"):
            if twice := getattr(whole, kind).keys() & getattr(more, kind).keys():
                raise ConfigurationError(f"{kind}.{min(twice)}: {path.name} has one too")
        whole = Configuration(
            backends={**whole.backends, **more.backends},
            exports={**more.exports, **whole.exports},
            hypervisors={**whole.hypervisors, **more.hypervisors},
            repositories={**whole.repositories, **more.repositories},
        )
    return whole


_added: list[Path] = []


def add_configuration(path: Path) -> None:
    """Use the tables of one more file, in this process and in what it forks from now on."""
    _added.append(path)
    configuration.cache_clear()
