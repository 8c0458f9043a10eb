"""What every export driver refuses, in the same words."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from drivers.errors import DriverError, Reason
from drivers.export.base import Export, ExportDriver
from drivers.volume.checks import missing, require_uuid
from drivers.volume.os_errors import translated_os_errors

HOST_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")


def is_host_name(name: str) -> bool:
    """Whether a name may be a folder's, and a part of what daemons are told."""
    return HOST_NAME.fullmatch(name) is not None


def require_taken(driver: ExportDriver, export: Export) -> None:
    """Refuse an export that the driver has a refusal for, or whose id is no UUID."""
    require_uuid(export.export_id)
    if refusal := driver.refusal(export.hints, export.connector):
        raise DriverError(f"The protocol {driver.protocol} {refusal}.", code=Reason.unsupported)


@translated_os_errors()
def require_file(export: Export) -> Path:
    """Return the file that holds the volume. Raises `not_found`."""
    path = Path(str(export.hints["path"]))
    if not path.exists():
        raise missing("volume")
    return path


def require_programs(packages: Mapping[str, str]) -> None:
    """Refuse as `unavailable` a machine without one of these programs, by their packages."""
    for program, package in packages.items():
        if shutil.which(program) is None:
            raise DriverError(
                f"The program {program} is missing; Debian has it in the package {package}.",
                code=Reason.unavailable,
            )
