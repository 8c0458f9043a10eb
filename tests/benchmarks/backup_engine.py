"""The backup engine alone, beside `zstd -1 -T2` and `cp --sparse`, on the same image, in turns.

The image is half full of what a system disk holds. All sides end with their data on the disk.
"""

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple
from uuid import uuid4

from backups.engine.backup import BackupResult, backup
from backups.engine.repository import Repository, create_repository
from backups.engine.restore import restore
from backups.engine.sessions import MemorySessions
from drivers.repository.directory import DirectoryRepository
from drivers.units import MIB
from drivers.volume.raw_file import RawFileReader, RawFileWriter
from tests.benchmarks.report import Report

IMAGE_BYTES, DATA_BYTES, RUN_BYTES = 256 * MIB, 128 * MIB, 8 * MIB
ROUNDS = 5
DISK_CONTENT = ("/usr/lib", "/usr/share")
FULL_AT_MOST = 1.1  # of zstd's wall


class Took(NamedTuple):
    wall_s: float
    cpu_s: float


def measure(folder: Path, report: Report) -> None:
    """Every round does each of them once."""
    image = folder / "image"
    make_image(image)
    took: dict[str, list[Took]] = {}

    def timed(what: str, act: Callable[[], object]) -> None:
        os.sync()  # what the one before left does not burden this one
        begin, cpu = time.monotonic(), cpu_s()
        act()
        took.setdefault(what, []).append(Took(time.monotonic() - begin, cpu_s() - cpu))

    grown = {}
    for number in range(ROUNDS):
        place = folder / str(number)
        place.mkdir()
        repository = new_repository(place)
        result: list[BackupResult] = []
        timed("full", lambda: result.append(back_up(repository, image)))  # noqa: B023 - called here
        timed("zstd", lambda: run("zstd", "-q", "-1", "-T2", image, "-o", place / "zst"))  # noqa: B023
        timed("cp", lambda: run("cp", "--sparse=always", image, place / "copy"))  # noqa: B023
        timed("again", lambda: back_up(repository, image))  # noqa: B023
        timed("restore", lambda: bring_back(repository, result[0], place / "restored"))  # noqa: B023
        timed("unzstd", lambda: run("zstd", "-q", "-d", place / "zst", "-o", place / "un"))  # noqa: B023
        assert (place / "restored").read_bytes() == image.read_bytes()
        grown = {
            "ours": result[0].manifest.stored_bytes,
            "zstd": (place / "zst").stat().st_size,
        }
        shutil.rmtree(place)

    report.title(
        f"Backup engine: {IMAGE_BYTES // MIB} MiB half full, medians of {ROUNDS} rounds in turns"
    )
    for what, rounds in took.items():
        wall, cpu = median(each.wall_s for each in rounds), median(each.cpu_s for each in rounds)
        report.line(
            what, f"{wall:.2f} s wall, {cpu:.2f} s CPU, {IMAGE_BYTES / MIB / wall:.0f} MiB/s"
        )
    report.line("stored", ", ".join(f"{who} {size // MIB} MiB" for who, size in grown.items()))
    for ours, peer in (("full", "zstd"), ("full", "cp"), ("restore", "unzstd"), ("restore", "cp")):
        wall, cpu = ratios(took[ours], took[peer])
        shown = f"{wall:.2f} of the wall, {cpu:.2f} of the CPU"
        if (ours, peer) == ("full", "zstd"):
            report.bound(f"{ours} / {peer}", shown, wall <= FULL_AT_MOST, f"wall {FULL_AT_MOST}")
        else:
            report.line(f"{ours} / {peer}", shown)


def ratios(ours: list[Took], peers: list[Took]) -> Took:
    """The medians of what each round's two have to each other."""
    pairs = list(zip(ours, peers, strict=True))
    return Took(
        median(one.wall_s / other.wall_s for one, other in pairs),
        median(one.cpu_s / other.cpu_s for one, other in pairs),
    )


def new_repository(folder: Path) -> Repository:
    options = DirectoryRepository.Options(path=folder / "repository")
    driver = DirectoryRepository(options, name="bench", home=folder)
    driver.check()
    return create_repository(driver, [], cache=folder / "cache")


def back_up(repository: Repository, image: Path) -> BackupResult:
    with RawFileReader(os.open(image, os.O_RDONLY)) as reader:
        return backup(
            repository,
            reader,
            backup_id=str(uuid4()),
            volume_id=str(uuid4()),
            project_id="bench",
            session=MemorySessions().begin(),
        )


def bring_back(repository: Repository, result: BackupResult, target: Path) -> None:
    descriptor = os.open(target, os.O_RDWR | os.O_CREAT)
    os.ftruncate(descriptor, result.manifest.size_bytes)
    with RawFileWriter(descriptor, thin=True) as writer:
        restore(repository, result.manifest, writer, target_is_blank=True)


def run(*command: str | Path) -> None:
    """Run a peer, and have what it wrote, its last argument, on the disk."""
    subprocess.run(command, check=True)
    descriptor = os.open(command[-1], os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def cpu_s() -> float:
    """What this process and its children have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def make_image(path: Path) -> None:
    """Runs of 8 MiB of this machine's own files, with holes of the same size between."""
    content = disk_content()
    with path.open("wb") as file:
        for offset in range(0, IMAGE_BYTES, 2 * RUN_BYTES):
            file.seek(offset)
            file.write(next(content))
        file.truncate(IMAGE_BYTES)
        file.flush()
        os.fsync(file.fileno())


def disk_content() -> Iterator[bytes]:
    kept = bytearray()
    for root in DISK_CONTENT:
        for folder, _, names in os.walk(root):
            for path in (Path(folder) / name for name in sorted(names)):
                if path.is_file() and not path.is_symlink() and os.access(path, os.R_OK):
                    kept += path.read_bytes()
                while len(kept) >= RUN_BYTES:
                    yield bytes(kept[:RUN_BYTES])
                    del kept[:RUN_BYTES]
    raise RuntimeError("this machine has too few files to fill an image with")
