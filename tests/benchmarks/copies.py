"""How long the driver takes to copy a volume where files can share blocks, beside the kernel's own
copy of the same file, FICLONE, which is the floor.

Between two copies some blocks of the volume change, as under a server, so that nothing is free.
What a copy takes is by the number of pieces that the file is in, which such changes add to: the
last line is of a volume that has been in use for long.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median
from uuid import uuid4

import pytest

from drivers.units import GIB, KIB, MIB
from drivers.volume import reflink
from drivers.volume.file import FileDriver
from tests.benchmarks.report import Report
from tests.drivers.volume.disks import mounted_disk

NAME = "reflink"
ROUNDS = 30
SIZE_GIB = 10
PIECES, PIECE = 256, 4 * MIB  # of data, spread over the volume
CHANGES, MANY_CHANGES = 10, 10_000  # of a block each
DISK_MIB = 4096
P50_AT_MOST_S = 0.1


def measure(folder: Path, report: Report) -> None:
    data_gib = PIECES * PIECE / GIB
    report.title(f"Copies of a volume of {SIZE_GIB} GiB with {data_gib:g} GiB of data, on XFS")
    try:
        with mounted_disk("xfs", folder, size_mib=DISK_MIB) as disk:
            _measure_on(disk, report)
    except pytest.skip.Exception as lacking:
        report.line("not measured", str(lacking))


def _measure_on(disk: Path, report: Report) -> None:
    driver = FileDriver(FileDriver.Options(path=disk), name=NAME, home=disk)
    driver.check()
    assert driver.capabilities.fast_copies
    volume_id = str(uuid4())
    driver.create_volume(volume_id, SIZE_GIB, pool=NAME)
    volume = disk / "volumes" / volume_id
    _fill(volume)
    random = Random(1)
    floor_s, snapshot_s, clone_s = [], [], []
    for _ in range(ROUNDS):
        _change(volume, random, CHANGES)
        floor_s.append(_took_s(lambda: _share(volume, disk / str(uuid4()))))
        _change(volume, random, CHANGES)
        snapshot_s.append(_took_s(lambda: _snapshot(driver, volume_id)))
        _change(volume, random, CHANGES)
        clone_s.append(_took_s(lambda: _clone(driver, volume_id)))
    _change(volume, random, MANY_CHANGES)
    aged_floor_s = _took_s(lambda: _share(volume, disk / str(uuid4())))
    aged_s = _took_s(lambda: _snapshot(driver, volume_id))
    report.line("FICLONE alone, p50 and the longest", _shown(floor_s))
    for what, took_s in (("snapshot", snapshot_s), ("clone", clone_s)):
        report.bound(
            f"{what} by the driver, p50 and the longest",
            _shown(took_s),
            median(took_s) < P50_AT_MOST_S,
            f"p50 below {P50_AT_MOST_S * 1000:g} ms",
        )
    report.line(
        f"snapshot of one in {MANY_CHANGES:,} pieces more",
        f"{aged_s * 1000:.0f} ms; FICLONE alone {aged_floor_s * 1000:.0f} ms",
    )


def _snapshot(driver: FileDriver, volume_id: str) -> None:
    driver.create_snapshot(str(uuid4()), volume_id, pool=NAME, in_use=True)


def _clone(driver: FileDriver, volume_id: str) -> None:
    driver.clone_volume(str(uuid4()), SIZE_GIB, volume_id, pool=NAME, in_use=True)


def _share(source: Path, target: Path) -> None:
    with source.open("rb") as one, target.open("wb") as other:
        reflink.share(one.fileno(), other.fileno())


def _fill(volume: Path) -> None:
    data = os.urandom(PIECE)
    with volume.open("r+b") as file:
        for number in range(PIECES):
            file.seek(number * SIZE_GIB * GIB // PIECES)
            file.write(data)
        os.fsync(file.fileno())


def _change(volume: Path, random: Random, blocks: int) -> None:
    """Write some blocks of the data anew, and make them durable."""
    with volume.open("r+b") as file:
        for _ in range(blocks):
            piece = random.randrange(PIECES) * SIZE_GIB * GIB // PIECES
            file.seek(piece + random.randrange(PIECE // (4 * KIB)) * 4 * KIB)
            file.write(random.randbytes(4 * KIB))
        os.fsync(file.fileno())


def _took_s(act: Callable[[], None]) -> float:
    begin = time.monotonic()
    act()
    return time.monotonic() - begin


def _shown(took_s: list[float]) -> str:
    return f"{median(took_s) * 1000:.1f} ms, {max(took_s) * 1000:.1f} ms"
