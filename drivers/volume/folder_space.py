"""How much room there is for files in folders of one disk."""

import os
from collections.abc import Sequence
from pathlib import Path

from drivers.errors import DriverError, Reason
from drivers.units import GIB, MIB
from drivers.volume.folder import scan_folder

# What `st_blocks` counts, whatever the file system's own block size.
STAT_BLOCK_BYTES = 512


class FolderSpace:
    """The room of a disk or, with `capacity_gib`, of a part of it that these folders may fill."""

    def __init__(
        self, folders: Sequence[Path], *, capacity_gib: float | None, min_free_mib: int
    ) -> None:
        self.folders = folders
        self.capacity_bytes = None if capacity_gib is None else int(capacity_gib * GIB)
        self.min_free_bytes = min_free_mib * MIB

    def total_bytes(self) -> int:
        if self.capacity_bytes is not None:
            return self.capacity_bytes
        disk = os.statvfs(self.folders[0])
        return disk.f_blocks * disk.f_frsize

    def free_bytes(self) -> int:
        """Return what can still be written: on the disk and, with a capacity, within it.

        Blocks that files share count for each of them: a capacity seems used up earlier than it
        is, never later.
        """
        disk = os.statvfs(self.folders[0])
        free_bytes = disk.f_bavail * disk.f_frsize
        if self.capacity_bytes is None:
            return free_bytes
        return max(0, min(free_bytes, self.capacity_bytes - self._allocated_bytes()))

    def require(self, needed_bytes: int) -> None:
        """Raise `no_space` when taking `needed_bytes` now would leave less than the minimum."""
        free_bytes = self.free_bytes()
        if free_bytes - needed_bytes < self.min_free_bytes:
            needed = f", and this needs {_gib(needed_bytes)} at once" if needed_bytes else ""
            raise DriverError(
                f"The backend has too little space: {_gib(free_bytes)} are free; it keeps "
                f"{_gib(self.min_free_bytes)} back{needed}.",
                code=Reason.no_space,
            )

    def _allocated_bytes(self) -> int:
        # By inode: a file that is just getting its final name has two names for a moment.
        blocks_of_inode = {
            status.st_ino: status.st_blocks
            for folder in self.folders
            for _, status in scan_folder(folder)
        }
        return sum(blocks_of_inode.values()) * STAT_BLOCK_BYTES


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / GIB:.2f} GiB"
