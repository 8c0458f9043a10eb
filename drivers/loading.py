"""Finds the class of a driver by its short name, or by a dotted path for one that is not ours."""

from difflib import get_close_matches
from importlib import import_module
from typing import Any

from drivers.errors import ConfigurationError
from drivers.export.base import ExportDriver
from drivers.hypervisor.base import HypervisorDriver
from drivers.repository.base import RepositoryDriver
from drivers.volume.base import VolumeDriver

# Every driver we ship, by kind. A new one is one file and one line here.
DRIVERS: dict[str, dict[str, str]] = {
    "export": {
        "file": "drivers.export.file.FileExport",
        "iscsi": "drivers.export.iscsi.IscsiExport",
        "memory": "drivers.export.memory.MemoryExport",
        "nbd": "drivers.export.nbd.NbdExport",
    },
    "hypervisor": {
        "libvirt": "drivers.hypervisor.libvirt.LibvirtDriver",
        "memory": "drivers.hypervisor.memory.MemoryHypervisor",
        "qemu": "drivers.hypervisor.qemu.QemuDriver",
    },
    "repository": {
        "azure": "drivers.repository.object_store.AzureRepository",
        "directory": "drivers.repository.directory.DirectoryRepository",
        "gcs": "drivers.repository.object_store.GcsRepository",
        "memory": "drivers.repository.memory.MemoryRepository",
        "s3": "drivers.repository.object_store.S3Repository",
    },
    "volume": {
        "file": "drivers.volume.file.FileDriver",
        "memory": "drivers.volume.memory.MemoryDriver",
    },
}

# What a class of each kind must be.
INTERFACES: dict[str, type] = {
    "export": ExportDriver,
    "hypervisor": HypervisorDriver,
    "repository": RepositoryDriver,
    "volume": VolumeDriver,
}


def load(kind: str, name: str) -> type[Any]:
    """Return the class of the `kind` driver called `name`, e.g. `load("volume", "file")`.

    Raises `ConfigurationError` when there is no such name, its module does not import, or what is
    found is not a driver of that kind: a wrong path stops the start, it is never skipped.
    """
    known = DRIVERS[kind]
    path = known.get(name, name)
    module_name, _, class_name = path.rpartition(".")
    if not module_name:
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"
        raise ConfigurationError(
            f"there is no {kind} driver {name!r}; {hint} (or give the dotted path of a class)"
        )
    try:
        found = getattr(import_module(module_name), class_name)
    except ImportError as error:
        raise ConfigurationError(f"{kind} driver {path}: does not import: {error}") from error
    except AttributeError as error:
        raise ConfigurationError(
            f"{kind} driver {path}: the module {module_name} has no {class_name}"
        ) from error
    interface = INTERFACES[kind]
    if not (isinstance(found, type) and issubclass(found, interface)):
        raise ConfigurationError(
            f"{kind} driver {path}: is not a {interface.__name__} ({interface.__module__})"
        )
    return found
