"""Drivers of third parties, named in a configuration by their dotted path."""

from drivers.volume.file import FileDriver


class LyingDriver(FileDriver):
    """Says that a volume has grown, and leaves it as it is."""

    def extend_volume(self, volume_id: str, new_size_gib: int, *, pool: str) -> None:
        return
