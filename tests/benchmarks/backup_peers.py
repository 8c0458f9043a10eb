"""What others need for the same: restic, borg, `zstd -1 -T2` and `cp --sparse`, each as a process.

Each keeps what it makes in a folder of its own, and is asked for the same as Khoi: to keep a file,
to keep it again once it has changed, and to bring back what it kept last. It has done so once that
is on the disk.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, NamedTuple

from drivers.units import KIB, MIB

# A small process in between: what is told of a child's memory begins with its parent's.
LAUNCHER = """
import json, os, sys, time
begin = time.monotonic()
pid = os.fork()
if not pid:
    os.dup2(2, 1)
    os.execvp(sys.argv[1], sys.argv[1:])
_, status, used = os.wait4(pid, 0)
if status:
    sys.exit(f"{sys.argv[1:]}: it ended with {os.waitstatus_to_exitcode(status)}")
os.spawnlp(os.P_WAIT, "sync", "sync", "--file-system", ".")
wall_s = time.monotonic() - begin
print(json.dumps([wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""


class Took(NamedTuple):
    wall_s: float
    cpu_s: float
    peak_mib: float


class Peer(ABC):
    """One of the others, with an empty folder that is ready for use."""

    name: ClassVar[str]
    program: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept = folder / "kept"
        self.prepare()

    @classmethod
    def is_here(cls) -> bool:
        return shutil.which(cls.program) is not None

    def prepare(self) -> None:
        """Make what there is to be before the first file is kept."""
        self.kept.mkdir(parents=True)

    @abstractmethod
    def keep(self, file: Path) -> list[str]:
        """The command that keeps a file, beside what it has of it and others."""

    @abstractmethod
    def bring_back(self, file: Path) -> list[str]:
        """The command that writes the file, as it was kept last, into `restored`."""

    @property
    def restored(self) -> Path:
        return self.folder / "restored"

    @property
    def environment(self) -> dict[str, str]:
        return {}

    def run(self, command: list[str]) -> Took:
        """Run a command until what it has written is on the disk."""
        done = subprocess.run(
            [sys.executable, "-S", "-c", LAUNCHER, *command],
            cwd=self.folder,
            env=os.environ | self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=True,
        )
        wall_s, cpu_s, peak_kib = json.loads(done.stdout)
        return Took(wall_s, cpu_s, peak_kib * KIB / MIB)

    def kept_bytes(self) -> int:
        return allocated_bytes(self.kept)


class Restic(Peer):
    """As it comes: encrypted, compressed, cut by content."""

    name = program = "restic"

    def prepare(self) -> None:
        self.folder.mkdir(parents=True)
        self.run(self._command("init"))

    @property
    def environment(self) -> dict[str, str]:
        return {"RESTIC_PASSWORD": "bench", "RESTIC_CACHE_DIR": str(self.folder / "cache")}

    def keep(self, file: Path) -> list[str]:
        return self._command("backup", str(file))

    def bring_back(self, file: Path) -> list[str]:
        target = str(self.restored)
        return self._command("restore", "latest", "--path", str(file), "--target", target)

    def _command(self, *words: str) -> list[str]:
        return ["restic", "--quiet", "--repo", str(self.kept), *words]


class Borg(Peer):
    """With what suits images of disks best: blocks of one size, and our compression."""

    name = program = "borg"

    def prepare(self) -> None:
        self.folder.mkdir(parents=True)
        self._archives = 0
        self.run(["borg", "init", "--encryption=none", str(self.kept)])

    @property
    def environment(self) -> dict[str, str]:
        return {"BORG_BASE_DIR": str(self.folder / "base")}

    def keep(self, file: Path) -> list[str]:
        self._archives += 1
        return [
            *("borg", "create", "--compression=zstd,1", "--chunker-params=fixed,1048576"),
            f"{self.kept}::{self._archives}",
            str(file),
        ]

    def bring_back(self, file: Path) -> list[str]:
        self.restored.mkdir()
        archive = f"{self.kept}::{self._archives}"
        return ["sh", "-c", 'cd "$0" && exec "$@"', str(self.restored), *EXTRACT, archive]


EXTRACT = ("borg", "extract", "--sparse")


class Zstd(Peer):
    """Compresses, and does nothing else: the floor of whoever compresses."""

    name = program = "zstd"

    def keep(self, file: Path) -> list[str]:
        return ["zstd", "-q", "-f", "-1", "-T2", str(file), "-o", str(self.kept / file.name)]

    def bring_back(self, file: Path) -> list[str]:
        return ["zstd", "-q", "-f", "-d", str(self.kept / file.name), "-o", str(self.restored)]


class Copy(Peer):
    """Copies, and does nothing else."""

    name, program = "cp", "cp"

    def keep(self, file: Path) -> list[str]:
        # By default it would share the blocks where it can, and copy nothing.
        return ["cp", "--reflink=never", "--sparse=always", str(file), str(self.kept / file.name)]

    def bring_back(self, file: Path) -> list[str]:
        kept = str(self.kept / file.name)
        return ["cp", "--reflink=never", "--sparse=always", kept, str(self.restored)]


PEERS: tuple[type[Peer], ...] = (Restic, Borg, Zstd, Copy)


def allocated_bytes(folder: Path) -> int:
    """What the files in a folder take of the disk."""
    files = (path.lstat() for path in folder.rglob("*"))
    return sum(file.st_blocks * 512 for file in files)


def timed(act: Callable[[], object], cpu_s: Callable[[], float]) -> tuple[float, float]:
    """(wall, CPU seconds) of a call."""
    begin, before = time.monotonic(), cpu_s()
    act()
    return time.monotonic() - begin, cpu_s() - before
