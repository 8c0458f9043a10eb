"""Objects as files in one folder, which may be on NFS.

    <path>/packs/0b/0b5c…   the object `packs/0b/0b5c…`, byte for byte
    <path>/.drafts/…        what is being written; no word of a key begins with a dot

A draft is written to disk and then given its name in one step, so a file that has a name is whole.
Folders are opened one below the other, never through a link: no key leads out of the repository.
"""

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Annotated, NamedTuple

from drivers.errors import DriverError, Reason
from drivers.options import Option
from drivers.page_cache import drop, read_nothing_ahead, read_passing
from drivers.repository.base import Buffer, RepositoryDriver, RepositoryStats, StoredObject
from drivers.repository.keys import (
    ends_early,
    is_word,
    missing_object,
    require_key,
    require_prefix,
    require_range,
)
from drivers.repository.probe import probe, probe_creates_once
from drivers.units import GIB, MIB
from drivers.volume.folder import scan_folder, sync_folder
from drivers.volume.os_errors import translated_os_errors

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# Nobody writes an object for so long: whoever began the draft was killed.
ABANDONED_AFTER_S = 24 * 3600
# How often the folder of an object may go away in the moment before the object gets its name.
NAMING_ATTEMPTS = 100
NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)
IOV_MAX = 1024  # how many buffers the kernel takes at once
STAYS = (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.EROFS)  # a folder, for now


class Place(NamedTuple):
    """Where an object is: its folder, which is open, and its name there."""

    folder: int
    name: str


class DirectoryRepository(RepositoryDriver):
    """One folder that holds objects."""

    @dataclass(frozen=True, kw_only=True)
    class Options:
        path: Annotated[Path, Option("the folder that holds the backups")]
        require_mount: Annotated[
            bool, Option("the folder is a mounted disk: refuse to work while it is not")
        ] = False
        min_free_mib: Annotated[
            int, Option("refuse to store when less would stay free", at_least=0)
        ] = 128

    options: Options

    def __init__(self, options: Options, *, name: str, home: Path) -> None:
        super().__init__(options, name=name, home=home)
        self.path = home / options.path
        self.drafts = self.path / ".drafts"

    # The repository

    @translated_os_errors("repository")
    def check(self) -> None:
        self._require_mount()
        make_folder(self.drafts)
        self._discard_abandoned_drafts()
        probe(self)
        if not probe_creates_once(self, self.put_new):
            raise DriverError(
                "The repository's file system replaces files that it was told to keep.",
                code=Reason.unsupported,
            )

    @property
    def creates_once(self) -> bool:
        return True

    @translated_os_errors("repository")
    def stats(self) -> RepositoryStats:
        with self._opened_root() as root:
            disk = os.statvfs(root)
        return RepositoryStats(
            free_bytes=disk.f_bavail * disk.f_frsize, total_bytes=disk.f_blocks * disk.f_frsize
        )

    # Objects

    @translated_os_errors("repository")
    def put(self, key: str, parts: Sequence[Buffer]) -> None:
        self._store(key, parts, replace)

    @translated_os_errors("repository")
    def put_new(self, key: str, parts: Sequence[Buffer]) -> bool:
        return self._store(key, parts, create)

    @translated_os_errors("repository")
    def get(self, key: str) -> bytes:
        with self._opened_object(key) as descriptor:
            return bytes(read(descriptor, 0, os.fstat(descriptor).st_size))

    @translated_os_errors("repository")
    def get_range(self, key: str, offset: int, length: int) -> bytes | bytearray:
        require_range(offset, length)
        with self._opened_object(key) as descriptor:
            content = read(descriptor, offset, length)
        if len(content) < length:
            raise ends_early(key, offset, length)
        return content

    def list_objects(self, prefix: str) -> Iterator[StoredObject]:
        words = require_prefix(prefix).split("/")[:-1]
        return self._list(words)

    @translated_os_errors("repository")
    def delete(self, keys: Iterable[str]) -> None:
        by_folder = groupby(sorted(map(require_key, keys)), key=lambda key: key.rpartition("/")[0])
        for folder_name, together in by_folder:
            folders = folder_name.split("/") if folder_name else []
            with suppress(FileNotFoundError), self._opened_folder(folders) as folder:
                for key in together:
                    name = key.rpartition("/")[2]
                    with suppress(FileNotFoundError):
                        # A read-only disk refuses to delete also what is not there.
                        os.stat(name, dir_fd=folder, follow_symlinks=False)
                        os.unlink(name, dir_fd=folder)
                os.fsync(folder)
            self._remove_empty(folders)

    # Storing

    def _store(
        self, key: str, parts: Sequence[Buffer], give_name: Callable[[Path, Place], bool]
    ) -> bool:
        *folders, name = require_key(key).split("/")
        with self._draft(parts) as draft:
            for _ in range(NAMING_ATTEMPTS):
                # The folder may be gone again: a delete removes those that have become empty.
                with (
                    suppress(FileNotFoundError),
                    self._opened_folder(folders, make=True) as folder,
                ):
                    is_given = give_name(draft, Place(folder, name))
                    os.fsync(folder)
                    return is_given
        raise DriverError(
            "The repository is busy at the moment.", code=Reason.busy, retryable=True, detail=key
        )

    @contextmanager
    def _draft(self, parts: Sequence[Buffer]) -> Iterator[Path]:
        """Write the parts into a file without a real name; whatever happens, it does not stay."""
        buffers = [memoryview(part).cast("B") for part in parts if len(part)]
        size_bytes = sum(map(len, buffers))
        with self._opened_root() as root:
            self._require_space(root, size_bytes)
        path = self.drafts / secrets.token_hex(16)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            write(descriptor, buffers)
            os.fsync(descriptor)
            drop(descriptor, 0, size_bytes)
            yield path
        finally:
            os.close(descriptor)
            path.unlink(missing_ok=True)

    def _discard_abandoned_drafts(self) -> None:
        # The clock is the repository's: on NFS it may be another than ours.
        with self._draft([]) as own_draft:
            now_s = own_draft.stat().st_mtime
            for name, status in scan_folder(self.drafts):
                if now_s - status.st_mtime > ABANDONED_AFTER_S:
                    (self.drafts / name).unlink(missing_ok=True)

    def _remove_empty(self, folders: list[str]) -> None:
        """Remove a folder that has become empty, and those above it."""
        for depth in range(len(folders), 0, -1):
            try:
                self.path.joinpath(*folders[:depth]).rmdir()
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno not in STAYS:
                    raise
                break

    # Listing

    def _list(self, words: list[str]) -> Iterator[StoredObject]:
        prefix = "".join(f"{word}/" for word in words)
        with (
            translated_os_errors("repository"),
            suppress(FileNotFoundError),
            self._opened_folder(words) as folder,
        ):
            yield from walk(folder, prefix)

    # Folders

    @contextmanager
    def _opened_root(self) -> Iterator[int]:
        """Open the folder of the repository. What is out of sight must not pass for deleted."""
        self._require_mount()
        with translated_os_errors("repository"):
            self.drafts.stat()
            root = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield root
        finally:
            os.close(root)

    @contextmanager
    def _opened_folder(self, words: Iterable[str], *, make: bool = False) -> Iterator[int]:
        """Open a folder. With `make` it is there, and survives a power cut, whoever made it."""
        with self._opened_root() as root:
            folder = os.dup(root)
            try:
                for word in words:
                    if make:
                        with suppress(FileExistsError):
                            os.mkdir(word, 0o700, dir_fd=folder)
                        os.fsync(folder)
                    outer, folder = folder, os.open(word, OPEN_FOLDER, dir_fd=folder)
                    os.close(outer)
                yield folder
            finally:
                os.close(folder)

    @contextmanager
    def _opened_object(self, key: str) -> Iterator[int]:
        *folders, name = require_key(key).split("/")
        try:
            with self._opened_folder(folders) as folder:
                descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
        except FileNotFoundError as error:
            raise missing_object(key) from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    # What must hold

    def _require_mount(self) -> None:
        """Refuse while the disk is away: what looks deleted then is only out of sight."""
        if self.options.require_mount and not self.path.is_mount():
            raise DriverError(
                "The repository's disk is not mounted; an operator must look at it.",
                code=Reason.unavailable,
                detail=f"{self.path} is not a mount point",
            )

    def _require_space(self, root: int, size_bytes: int) -> None:
        disk = os.statvfs(root)
        free_bytes, kept_bytes = disk.f_bavail * disk.f_frsize, self.options.min_free_mib * MIB
        if free_bytes - size_bytes < kept_bytes:
            raise DriverError(
                f"The repository has too little space: {free_bytes / GIB:.2f} GiB are free; it "
                f"keeps {kept_bytes / GIB:.2f} GiB back.",
                code=Reason.no_space,
            )


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that they survive a power cut."""
    if not folder.exists():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True, mode=0o700)
        sync_folder(folder.parent)


def replace(draft: Path, place: Place) -> bool:
    """Give the draft a name, also one that is taken."""
    os.rename(draft, place.name, dst_dir_fd=place.folder)
    return True


def create(draft: Path, place: Place) -> bool:
    """Give the draft a name unless it is taken; tell whether it got it."""
    try:
        os.link(draft, place.name, dst_dir_fd=place.folder, follow_symlinks=False)
    except FileExistsError:
        # NFS may repeat a request whose reply was lost, and then finds the name that we just gave.
        return draft.stat().st_nlink > 1
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
        raise DriverError(
            "The repository's file system has no hard links, which this driver needs.",
            code=Reason.unsupported,
            detail=str(error),
        ) from error
    return True


def write(descriptor: int, buffers: list[memoryview]) -> None:
    """Write all of the buffers; an `OSError` says why not."""
    position = 0
    while position < len(buffers):
        written = os.writev(descriptor, buffers[position : position + IOV_MAX])
        while position < len(buffers) and written >= len(buffers[position]):
            written -= len(buffers[position])
            position += 1
        if written:
            buffers[position] = buffers[position][written:]


def read(descriptor: int, offset: int, length: int) -> bytearray:
    """Read this many bytes, or as many as there are; others have more use for the memory."""
    content = bytearray(length)
    position = 0
    read_nothing_ahead(descriptor)
    with memoryview(content) as view:
        while position < length:
            count = read_passing(descriptor, view[position:], offset + position)
            if not count:
                break
            position += count
    del content[position:]
    return content


def walk(folder: int, prefix: str) -> Iterator[StoredObject]:
    """Yield what is in an open folder and those below it, ordered by key."""
    with os.scandir(folder) as entries:
        found = [
            (f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name, entry)
            for entry in entries
            if is_word(entry.name)
        ]
    for name, entry in sorted(found, key=itemgetter(0)):
        with suppress(FileNotFoundError):  # deleted meanwhile
            if name.endswith("/"):
                inner = os.open(entry.name, OPEN_FOLDER, dir_fd=folder)
                try:
                    yield from walk(inner, prefix + name)
                finally:
                    os.close(inner)
            else:
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    stored_at = datetime.fromtimestamp(status.st_mtime, UTC)
                    yield StoredObject(prefix + name, status.st_size, stored_at)
