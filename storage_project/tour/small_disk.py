"""A disk that is nearly full without filling anybody's: the tour brings a backend of its own.

It is configured beside what the operator has, for as long as the demo runs. All the while the file
in it leaves less room than its driver keeps back, so no volume ever comes to lie there.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

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
BALLAST_MIB = 128


@contextmanager
def small_disk_in_place() -> Iterator[None]:
    """Have the disk, configured and filled, for the block; what it starts may run until its end.

    `ConfigurationError` when there is no room for it. Another demo may hold it too; only who is
    the last removes it.
    """
    folder = _folder()
    (folder / "volumes").mkdir(parents=True, exist_ok=True)
    with (folder / "volumes" / BALLAST).open("ab", buffering=0) as ballast:
        fcntl.flock(ballast, fcntl.LOCK_SH)
        try:
            _fill(ballast)
            add_configuration(CONFIGURATION)
            yield
            with suppress(DatabaseError):  # it may be away
                forget_service(binary=BINARY, host=host_of(NAME))
        finally:
            # Taken only when nobody shares it any more.
            with suppress(BlockingIOError):
                fcntl.flock(ballast, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _empty(folder)


def _fill(ballast: BinaryIO) -> None:
    """Random data: some file systems give no room to a file before it is written, or to zeros."""
    block = os.urandom(MIB)
    try:
        for _ in range(os.fstat(ballast.fileno()).st_size // MIB, BALLAST_MIB):
            ballast.write(block)
    except OSError as error:
        raise ConfigurationError(
            f"The tour needs {BALLAST_MIB} MiB for a while, and cannot have them in "
            f"{settings.STORAGE_HOME}: {error.strerror}."
        ) from error


def _empty(folder: Path) -> None:
    """Leave no trace on the disk; what is not the tour's own stays."""
    (folder / "volumes" / BALLAST).unlink(missing_ok=True)
    for empty in (*folder.glob("*/"), folder, folder.parent):
        with suppress(OSError):
            empty.rmdir()


def _folder() -> Path:
    path: Path = load_configuration(CONFIGURATION).backends[NAME].options.path
    return settings.STORAGE_HOME / path
