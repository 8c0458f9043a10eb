"""Finds libvirt's Python binding, which is compiled for one Python and one libvirt.

It is either installed beside us (`pip install libvirt-python`, which takes a compiler), or it is
Debian's python3-libvirt, which a virtual environment does not see: only that is then taken from
Debian's folder, and nothing else that lies there.
"""

import sys
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from typing import Any

from drivers.errors import DriverError, Reason

DEBIAN_FOLDER = "/usr/lib/python3/dist-packages"
# Each after what it imports; those with "mod" are written in C.
NAMES = ("libvirtmod", "libvirt", "libvirtmod_qemu", "libvirt_qemu")


@dataclass(frozen=True, slots=True)
class Binding:
    """The modules that we use; they have no types."""

    libvirt: Any
    qemu: Any  # what only libvirt's QEMU driver can do


@cache
def libvirt_binding() -> Binding:
    """Find the binding. Raises `DriverError` when there is none for this Python."""
    try:
        import_module("libvirt_qemu")
    except ImportError:
        _import_from_debian()
    binding = Binding(libvirt=sys.modules["libvirt"], qemu=sys.modules["libvirt_qemu"])
    # It would print every error, also those that we expect.
    binding.libvirt.registerErrorHandler(lambda context, error: None, None)
    return binding


def _import_from_debian() -> None:
    try:
        for name in NAMES:
            spec = PathFinder.find_spec(name, [DEBIAN_FOLDER])
            if spec is None or spec.loader is None:
                raise ImportError(f"no {name} for this Python in {DEBIAN_FOLDER}")
            sys.modules[name] = module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
    except ImportError as error:
        for name in NAMES:
            sys.modules.pop(name, None)
        raise DriverError(
            "libvirt's Python binding is not installed for this Python (Debian: python3-libvirt; "
            "elsewhere: pip install libvirt-python).",
            code=Reason.unavailable,
            detail=str(error),
        ) from error
