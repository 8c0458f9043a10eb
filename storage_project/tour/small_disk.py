"""A disk that is nearly full without filling anybody's: the tour brings a backend of its own.

It is configured beside what the operator has, for as long as the demo runs. All the while the file
in it leaves less room than its driver keeps back, so no volume ever comes to lie there.
"""

import os
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from drivers.errors import ConfigurationError
from drivers.units import MIB
from storage_project.config import load_configuration
from volumes.backends import BINARY, host_of
from volumes.services.services import forget_service

NAME = "demo-small"
CONFIGURATION = Path(__file__).with_name("small_disk.toml")
BALLAST = "somebody-elses-data"
BALLAST_BYTES = 384 * MIB


def fill_small_disk() -> None:
    """Put the file there, unless it is: another demo may run. `ConfigurationError` without room."""
    folder = _folder() / "volumes"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with (folder / BALLAST).open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, BALLAST_BYTES)
    except OSError as error:
        raise ConfigurationError(
            f"The tour needs {BALLAST_BYTES // MIB} MiB for a while, and cannot have them in "
            f"{settings.STORAGE_HOME}: {error.strerror}."
        ) from error


def remove_small_disk() -> None:
    """Leave no trace, once the demo has stopped. What is not the tour's own stays."""
    folder = _folder()
    (folder / "volumes" / BALLAST).unlink(missing_ok=True)
    for empty in (*folder.glob("*/"), folder, folder.parent):
        with suppress(OSError):
            empty.rmdir()
    forget_service(binary=BINARY, host=host_of(NAME))


def _folder() -> Path:
    configured: str = load_configuration(CONFIGURATION).backends[NAME].options["path"]
    return settings.STORAGE_HOME / configured
