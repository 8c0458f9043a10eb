"""The file that a child process writes to: one per name, appended to, of bounded size."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

LIMIT_BYTES = 16 * 2**20
TAIL_LINES = 12
TAIL_BYTES = 16 * 2**10


@dataclass(slots=True)
class Log:
    """`<path>`, and one older part of it in `<path>.1`."""

    path: Path
    _mark: int = field(default=0, init=False)

    def open(self) -> int:
        """Return a descriptor that appends; `tail` will begin here."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._mark = os.fstat(descriptor).st_size
        return descriptor

    def tail(self) -> str:
        """The last lines written since the file was opened."""
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(min(size, max(self._mark, size - TAIL_BYTES)))
            lines = file.read().decode(errors="replace").rstrip().splitlines()
        return "\n".join(lines[-TAIL_LINES:])

    def trim(self) -> None:
        """Move what was written to the older part once it is too much.

        The writers keep their descriptors: they append, so they go on at the new end. A line
        written between the copy and the cut is lost.
        """
        if self.path.exists() and self.path.stat().st_size > LIMIT_BYTES:
            shutil.copyfile(self.path, self.path.with_name(f"{self.path.name}.1"))
            os.truncate(self.path, 0)
            self._mark = 0
