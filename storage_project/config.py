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
max_bytes_per_s = 0                 # moved to and from it by this machine; 0 is no bound
max_calls = 0                       # under way at once, from this machine
key_file = "main.key"               # encrypts it; or passphrase_file. Without either it is not

[copies]
workers = 2                         # backups, restores and other copies at once
bytes_per_s = 0                     # moved to and from all repositories together
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

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
    max_bytes_per_s: Annotated[
        int, Option("how much this machine moves to and from it; 0 is no bound", at_least=0)
    ] = 0
    max_calls: Annotated[
        int, Option("how many calls of this machine are under way at once", at_least=0)
    ] = 0
    key_file: Annotated[Path | None, Option("a file of random bytes that opens it")] = None
    passphrase_file: Annotated[Path | None, Option("a file with the words that open it")] = None


@dataclass(frozen=True, kw_only=True)
class Repository(RepositoryTable):
    """One configured place for backups."""

    name: str
    driver_class: type[RepositoryDriver]
    options: Any


@dataclass(frozen=True, kw_only=True)
class Copies:
    """The table `[copies]`: what long copies may take of this machine."""

    workers: Annotated[int, Option("how many copies are made at once", at_least=1)] = 2
    bytes_per_s: Annotated[
        int, Option("how much is moved to and from all repositories; 0 is no bound", at_least=0)
    ] = 0


@dataclass(frozen=True)
class Configuration:
    """Everything in the file. An absent file is an empty configuration: an API without storage."""

    backends: Mapping[str, Backend] = field(default_factory=dict)
    exports: Mapping[str, ExportProtocol] = field(default_factory=dict)
    hypervisors: Mapping[str, Hypervisor] = field(default_factory=dict)
    repositories: Mapping[str, Repository] = field(default_factory=dict)
    copies: Copies = field(default_factory=Copies)


Entry = TypeVar("Entry", Backend, ExportProtocol, Hypervisor, Repository)

KINDS = ("backends", "exports", "hypervisors", "repositories")


def load_configuration(path: Path) -> Configuration:
    """Read and check `path`; a mistake raises `ConfigurationError` that names the key."""
    try:
        document = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return Configuration()
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path.name}: {error}") from error
    for key in document.keys() - {*KINDS, "copies"}:
        known = ", ".join(["[copies]", *(f"[{kind}.<name>]" for kind in KINDS)])
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
        copies=_copies(document.get("copies", {})),
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


def _copies(table: object) -> Copies:
    if not isinstance(table, dict):
        raise ConfigurationError("copies: must be a table, [copies]")
    return read_options(Copies, table, where="copies")


def _backend(name: str, table: Mapping[str, Any]) -> Backend:
    backend = _read(Backend, BackendTable, "volume", f"backends.{name}", table)
    if "exports" in table:
        return backend
    return replace(backend, exports=list(backend.driver_class.default_exports))


def _export(name: str, table: Mapping[str, Any]) -> ExportProtocol:
    table = {"driver": name, **table}
    export = _read(ExportProtocol, ExportTable, "export", f"exports.{name}", table)
    if "host" in table or "host" not in {each.name for each in fields(export.options)}:
        return export
    # A path of this machine says nothing to another, unless the operator knows better.
    return replace(export, options=replace(export.options, host=settings.STORAGE_HOST))


def _hypervisor(name: str, table: Mapping[str, Any]) -> Hypervisor:
    return _read(Hypervisor, HypervisorTable, "hypervisor", f"hypervisors.{name}", table)


def _repository(name: str, table: Mapping[str, Any]) -> Repository:
    where = f"repositories.{name}"
    repository = _read(Repository, RepositoryTable, "repository", where, table)
    if repository.key_file and repository.passphrase_file:
        raise ConfigurationError(f"{where}.passphrase_file: give it or key_file, not both")
    return repository


def _read(
    entry: type[Entry], own: type[Any], kind: str, where: str, table: Mapping[str, Any]
) -> Entry:
    """An entry made of what Khoi itself reads of a table, `own`, and what its driver reads."""
    own_keys = {each.name for each in fields(own)}
    ours = {key: value for key, value in table.items() if key in own_keys}
    others = {key: value for key, value in table.items() if key not in own_keys}
    checked = read_options(own, ours, where=where)
    driver_class = _driver(kind, checked.driver, where)
    return entry(
        name=where.partition(".")[2],
        driver_class=driver_class,
        options=read_options(driver_class.Options, others, where=where),
        **asdict(checked),
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
            copies=whole.copies,
        )
    return whole


_added: list[Path] = []


def add_configuration(path: Path) -> None:
    """Use the tables of one more file, in this process and in what it forks from now on."""
    _added.append(path)
    configuration.cache_clear()
