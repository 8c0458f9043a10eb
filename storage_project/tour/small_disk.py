"""A disk that is nearly full without filling anybody's: the tour brings a backend of its own.

It is configured beside what the operator has, for as long as the demo runs. All the while the file
in it leaves less room than its driver keeps back, so no volume ever comes to lie there.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError

from drivers.errors import ConfigurationError
from drivers.units import MIB
from storage_project.config import add_configuration, load_configuration
from volumes.backends import BINARY, host_of
from volumes.services.services import forget_service

NAME = "demo-small"
CONFIGURATION = Path(__file__).with_name("small_disk.toml")
BALLAST = "somebody-elses-data"
BALLAST_BYTES = 384 * MIB


@contextmanager
def small_disk_in_place() -> Iterator[None]:
    """Have the disk, configured and filled, for the block; what it starts may run until its end.

    `ConfigurationError` when there is no room for it. Another demo may hold it too; only who is
    the last removes it.
    """
    folder = _folder()
    (folder / "volumes").mkdir(parents=True, exist_ok=True)
    with (folder / "volumes" / BALLAST).open("ab") as ballast:
        fcntl.flock(ballast, fcntl.LOCK_SH)
        try:
            _allocate(ballast.fileno())
            add_configuration(CONFIGURATION)
            yield
        finally:
            # Taken only when nobody shares it any more.
            with suppress(BlockingIOError):
                fcntl.flock(ballast, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(folder)


def _allocate(descriptor: int) -> None:
    try:
        os.posix_fallocate(descriptor, 0, BALLAST_BYTES)
    except OSError as error:
        raise ConfigurationError(
            f"The tour needs {BALLAST_BYTES // MIB} MiB for a while, and cannot have them in "
            f"{settings.STORAGE_HOME}: {error.strerror}."
        ) from error


def _remove(folder: Path) -> None:
    """Leave no trace; what is not the tour's own stays."""
    (folder / "volumes" / BALLAST).unlink(missing_ok=True)
    for empty in (*folder.glob("*/"), folder, folder.parent):
        with suppress(OSError):
            empty.rmdir()
    with suppress(DatabaseError):  # it may be away, or not made yet
        forget_service(binary=BINARY, host=host_of(NAME))


def _folder() -> Path:
    configured: str = load_configuration(CONFIGURATION).backends[NAME].options["path"]
    return settings.STORAGE_HOME / configured
