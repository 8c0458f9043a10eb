"""Tries what the file driver relies on, so that a disk which cannot do it is refused at start."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from drivers.errors import DriverError, Reason
from drivers.units import MIB
from drivers.volume import sparse
from drivers.volume.drafts import Drafts


def probe_file_system(drafts: Drafts, *, reserves_space: bool) -> None:
    """Raise `unsupported` when the file system of the drafts lacks what the driver needs."""
    with drafts.begin(f"probe-{uuid4()}") as draft:
        with _needed("has no hard links, which this driver needs"):
            os.link(draft.path, f"{draft.path}.link")
            os.unlink(f"{draft.path}.link")
        if reserves_space:
            with _needed("cannot reserve space: set thin = true"):
                sparse.reserve(draft.descriptor, 0, MIB)


@contextmanager
def _needed(complaint: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EPERM, *sparse.NOT_SUPPORTED):
            raise
        raise DriverError(
            f"The backend's file system {complaint}.", code=Reason.unsupported, detail=str(error)
        ) from error
