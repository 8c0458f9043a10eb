"""The backends that the tour shows things on, and where to look for what lies there."""

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from drivers.volume.file import FileDriver
from storage_project.config import configuration
from volumes.backends import host_of, open_backend


@dataclass(frozen=True)
class Disk:
    """A backend of this machine that keeps each volume in a file of its own."""

    name: str
    folder: Path

    @property
    def host(self) -> str:
        """The service that reaches it, as the API calls it."""
        return host_of(self.name)

    @property
    def pool(self) -> str:
        """Its only pool, as the API calls it."""
        return f"{self.host}#{self.name}"

    def path_of(self, volume_id: str) -> Path:
        """Where the file of a volume is to be."""
        return self.folder / volume_id

    def write(self, volume_id: str, text: str) -> None:
        """Write at the beginning of a volume that nobody has attached."""
        with self.path_of(volume_id).open("r+b", buffering=0) as file:
            file.write(text.encode())


def find_disks() -> dict[str, Disk]:
    """Those that are configured, by name."""
    drivers = {name: open_backend(name) for name in configuration().backends}
    return {
        name: Disk(name, driver.volumes)
        for name, driver in drivers.items()
        if isinstance(driver, FileDriver)
    }


def show_path(path: Path) -> str:
    """A path in the home as one would type it beside the home, so that it is short."""
    around = settings.STORAGE_HOME.parent
    return str(path.relative_to(around) if path.is_relative_to(around) else path)
