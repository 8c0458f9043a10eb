"""Files that appear whole or not at all, whenever the process that makes them is killed.

A draft is made in a folder of its own under a name nobody else uses, written to disk, and only
then given its real name, in one step. Whoever finds a file under a real name finds all of it.

The newest call for a name wins: it discards the drafts of older ones, dead or alive, and an older
one that is still at work then fails when it wants to give its draft the name. So a call that was
slow, and taken for dead, can never bring back or overwrite what came after it.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from drivers.volume.checks import overtaken
from drivers.volume.folder import scan_folder, sync_folder


@dataclass(frozen=True, slots=True)
class Draft:
    """A file without a real name yet, open for reading and writing."""

    path: Path
    descriptor: int

    def publish(self, target: Path) -> None:
        """Give the draft a name that is free. When it is taken, what has it stays."""
        os.fsync(self.descriptor)
        try:
            # A link, not a rename: a rename would replace a file that was finished meanwhile.
            os.link(self.path, target)
        except FileExistsError:
            pass
        except FileNotFoundError as error:
            raise overtaken() from error
        sync_folder(target.parent)

    def replace(self, target: Path) -> None:
        """Give the draft a name that is taken. Until then the old file is there, then the new."""
        os.fsync(self.descriptor)
        try:
            self.path.rename(target)
        except FileNotFoundError as error:
            raise overtaken() from error
        sync_folder(target.parent)


class Drafts:
    """The folder of drafts. It must be on the file system where the files will get their names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def begin(self, name: str) -> Iterator[Draft]:
        """Open a draft of `name`; whatever happens, nothing of it stays in the folder."""
        self.discard(name)
        path = self.folder / f"{name}.{secrets.token_hex(8)}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            # Ours until we close the file or die: how others see that its maker is alive.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield Draft(path, descriptor)
        finally:
            os.close(descriptor)
            path.unlink(missing_ok=True)

    def discard(self, name: str) -> None:
        """Remove every draft of `name`, also one that another call is still writing."""
        for found, _ in scan_folder(self.folder):
            if found.startswith(f"{name}."):
                (self.folder / found).unlink(missing_ok=True)

    def discard_abandoned(self) -> None:
        """Remove every draft whose maker is dead."""
        for name, _ in scan_folder(self.folder):
            path = self.folder / name
            try:
                descriptor = os.open(path, os.O_RDWR)
            except FileNotFoundError:
                continue  # finished meanwhile
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
            except BlockingIOError:
                continue  # its maker is alive
            finally:
                os.close(descriptor)
