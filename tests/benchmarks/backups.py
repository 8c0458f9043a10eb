"""Backup and restore through the whole service, beside restic, borg, zstd and cp on the same files.

In each round everybody begins with an empty repository and takes the same turns, one after the
other, on the same disk, until the data is on it. Nobody has the volume in memory before:

    full         a volume with an ext4 image, about half full
    incremental  the same with 1 % of its blocks of 4 KiB changed, all over it
    restore      what that was, into a new volume or file; compared byte by byte
    duplicate    another volume with the same content
    random       a volume of random bytes

Ours is timed from the request until it is available, and its CPU is that of the web server, the
workers, the dispatchers and the broker. Its repository is encrypted, as restic's is.

In the end, what the worker needs of memory for a volume of 1 TiB with 8 GiB of data.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from statistics import median

import psycopg2
import pytest

from drivers import page_cache
from drivers.units import GIB, KIB, MIB
from tests.benchmarks import backup_engine
from tests.benchmarks.backup_peers import PEERS, Peer, Took, allocated_bytes, timed
from tests.benchmarks.report import Report
from tests.crash.processes.cluster import Cluster
from tests.drivers.volume.disks import mounted_disk
from tests.postgres import PostgresServer, create_database
from tests.stack import directory_repository, file_backends, wait_until

ROUNDS = 3
DISK_GIB = 64  # takes only what is written
CONTENT_BYTES = 460 * MIB
CHANGED_BLOCKS = GIB // (4 * KIB) // 100
SPARSE_GIB, SPARSE_DATA_GIB = 1024, 8
SPARSE_BLOCKS = SPARSE_DATA_GIB * GIB // (64 * KIB)
PEAK_MIB = 200
PATIENCE_S = 600
TURNS = ("full", "incremental", "restore", "duplicate", "random")
OURS, ENGINE = "khoi", "engine alone"
# (turn, whose, what of it, ours at most as much of theirs)
BOUNDS = [
    ("full", "restic", "wall", 0.35),
    ("full", "borg", "wall", 0.85),
    ("full", "zstd", "wall", 1.1),
    ("restore", "restic", "wall", 0.5),
    ("restore", "borg", "wall", 0.5),
    ("incremental", "restic", "cpu", 0.1),
    ("duplicate", "borg", "cpu", 1.0),
]

# By turn and by who took it, one for each round.
Results = dict[str, dict[str, list[Took]]]


def measure(folder: Path, report: Report) -> None:
    report.title(f"Backups through the service, 1 GiB, medians of {ROUNDS} rounds in turns, on XFS")
    peers = [peer for peer in PEERS if peer.is_here()]
    for missing in sorted({peer.name for peer in PEERS} - {peer.name for peer in peers}):
        report.line("not measured", f"this machine lacks {missing}")
    image = make_ext4_image(folder)
    results: Results = {turn: {} for turn in TURNS}
    try:
        with PostgresServer() as server:
            for _ in range(ROUNDS):
                with new_disk(folder) as disk:
                    url = create_database(server.url)
                    kept = one_round(disk, url, image, peers, results)
            show(report, results, kept)
            with new_disk(folder) as disk:
                measure_memory(disk, create_database(server.url), report)
    except pytest.skip.Exception as lacking:
        report.line("not measured", str(lacking))


@contextmanager
def new_disk(folder: Path) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(dir=folder))
    with mounted_disk("xfs", place, size_mib=DISK_GIB * 1024) as disk:
        yield disk
    shutil.rmtree(place)


def one_round(
    disk: Path, database_url: str, image: Path, peers: list[type[Peer]], results: Results
) -> dict[str, int]:
    """Everybody takes every turn once; returns what each has on the disk in the end."""
    random = Random(1)
    with service(disk, database_url) as khoi:
        others = [peer(disk / peer.name) for peer in peers]
        first = khoi.new_volume(image)

        def take_turn(turn: str, file: Path, ours: Took) -> None:
            took = results[turn]
            took.setdefault(OURS, []).append(ours)
            for other in others:
                what = other.bring_back if turn == "restore" else other.keep
                forget(file)
                took.setdefault(other.name, []).append(other.run(what(file)))

        took_alone = engine_alone(disk, khoi.file_of(first))
        results["full"].setdefault(ENGINE, []).append(took_alone)
        take_turn("full", khoi.file_of(first), khoi.back_up(first))
        change(khoi.file_of(first), random)
        take_turn("incremental", khoi.file_of(first), khoi.back_up(first, incremental=True))
        ours, restored = khoi.restore()
        require_same(khoi.file_of(first), khoi.file_of(restored))
        take_turn("restore", khoi.file_of(first), ours)
        second = khoi.new_volume(khoi.file_of(first))
        take_turn("duplicate", khoi.file_of(second), khoi.back_up(second))
        third = khoi.new_volume(random_file(disk))
        take_turn("random", khoi.file_of(third), khoi.back_up(third))
        return {
            OURS: allocated_bytes(disk / "home" / "repositories"),
            **{other.name: other.kept_bytes() for other in others},
        }


def measure_memory(disk: Path, database_url: str, report: Report) -> None:
    """The highest RSS of the worker, whose backup and restore are of a large volume."""
    with service(disk, database_url) as khoi:
        volume_id = khoi.blank_volume(SPARSE_GIB)
        with khoi.file_of(volume_id).open("r+b") as file:
            for block in range(SPARSE_BLOCKS):
                file.seek(block * (SPARSE_GIB * GIB // SPARSE_BLOCKS))
                file.write(os.urandom(4 * KIB) * 16)  # each is another, and small once compressed
            os.fsync(file.fileno())
        kept = khoi.back_up(volume_id)
        restored, _ = khoi.restore()
    report.title(
        f"The worker's memory, a volume of {SPARSE_GIB} GiB with {SPARSE_DATA_GIB} GiB of data"
    )
    for what, took in (("backup", kept), ("restore", restored)):
        shown = f"{took.wall_s:.1f} s wall, {took.cpu_s:.1f} s CPU; highest RSS"
        report.figure(f"{what}: {shown}", took.peak_mib, "MiB", at_most=PEAK_MIB)


class Service:
    """Khoi, asked through its API."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._last_backup = ""
        self._database = psycopg2.connect(cluster.environment["DATABASE_URL"])
        self._database.autocommit = True

    def file_of(self, volume_id: str) -> Path:
        return self.cluster.home / "volumes" / "fast" / "volumes" / volume_id

    def blank_volume(self, size_gib: int) -> str:
        answer = self.cluster.demo.create(size_gib)
        assert answer.status_code == 202, answer.text
        volume_id: str = answer.json()["volume"]["id"]
        self._wait("volumes_volume", volume_id)
        return volume_id

    def new_volume(self, content: Path) -> str:
        """A volume of 1 GiB that holds what a file does."""
        volume_id = self.blank_volume(1)
        file = self.file_of(volume_id)
        command = ["cp", "--sparse=always", "--reflink=never", content, file]
        subprocess.run(command, check=True)
        subprocess.run(["sync", file], check=True)
        return volume_id

    def back_up(self, volume_id: str, *, incremental: bool = False) -> Took:
        forget(self.file_of(volume_id))
        body = {"backup": {"volume_id": volume_id, "incremental": incremental}}

        def act() -> None:
            answer = self.cluster.demo.send("POST", "/v3/backups", body)
            assert answer.status_code == 202, answer.text
            self._last_backup = answer.json()["backup"]["id"]
            self._wait("backups_backup", self._last_backup)

        return self._timed(act)

    def restore(self) -> tuple[Took, str]:
        """Restore what was backed up last into a new volume; return its id, too."""
        volume_id = ""

        def act() -> None:
            nonlocal volume_id
            path = f"/v3/backups/{self._last_backup}/restore"
            answer = self.cluster.demo.send("POST", path, {"restore": {}})
            assert answer.status_code == 202, answer.text
            volume_id = answer.json()["restore"]["volume_id"]
            self._wait("volumes_volume", volume_id)

        return self._timed(act), volume_id

    def _wait(self, table: str, row_id: str) -> None:
        """Look at the row, which costs next to nothing: asking the API all the time would."""

        def is_available() -> bool:
            with self._database.cursor() as cursor:
                cursor.execute(f"SELECT status FROM {table} WHERE id = %s", [row_id])
                [status] = cursor.fetchone() or [None]
            assert not status.startswith("error"), status
            return bool(status == "available")

        wait_until(is_available, f"{table} {row_id}", patience_s=PATIENCE_S)

    def _timed(self, act: Callable[[], None]) -> Took:
        worker = self.cluster.processes["data"]
        for pid in worker.pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # begin anew with the highest RSS
        wall_s, cpu_s = timed(act, self._cpu_s)
        return Took(wall_s, cpu_s, sum(map(_peak_mib, worker.pids())))

    def _cpu_s(self) -> float:
        return sum(process.cpu_s() for process in self.cluster.processes.values())


@contextmanager
def service(disk: Path, database_url: str) -> Iterator[Service]:
    """Khoi at work on a disk."""
    home = disk / "home"
    home.mkdir()
    (home / "key").write_bytes(os.urandom(32))
    configuration = (
        file_backends("fast", min_free_mib=0, max_over_subscription_ratio=1e6)
        + directory_repository("main")
        + 'key_file = "key"\n'
    )
    with Cluster(home, configuration, database_url=database_url) as cluster:
        yield Service(cluster)


def engine_alone(disk: Path, file: Path) -> Took:
    """The same full backup by the engine's function, in this process, without the service."""
    place = disk / "engine"
    place.mkdir()
    repository = backup_engine.new_repository(place)
    forget(file)
    wall_s, cpu_s = timed(lambda: backup_engine.back_up(repository, file), backup_engine.cpu_s)
    shutil.rmtree(place)
    return Took(wall_s, cpu_s, 0)


def forget(file: Path) -> None:
    """Have nothing of a file in memory: what servers write to volumes mostly goes past it."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        page_cache.drop(opened.fileno(), 0, 0)


def make_ext4_image(folder: Path) -> Path:
    """1 GiB of ext4 with files of this machine."""
    files, image = folder / "files", folder / "image"
    left = CONTENT_BYTES
    for number, content in enumerate(backup_engine.disk_content()):
        part = files / str(number // 16) / str(number)
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        left -= len(content)
        if left <= 0:
            break
    image.touch()
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", files, image, "1G"], check=True)
    shutil.rmtree(files)
    return image


def random_file(folder: Path) -> Path:
    path = folder / "random"
    with path.open("wb") as file:
        for _ in range(GIB // (16 * MIB)):
            file.write(os.urandom(16 * MIB))
    return path


def change(file: Path, random: Random) -> None:
    """Write 1 % of the blocks anew, on the disk."""
    with file.open("r+b") as opened:
        for block in random.sample(range(GIB // (4 * KIB)), CHANGED_BLOCKS):
            opened.seek(block * 4 * KIB)
            opened.write(random.randbytes(4 * KIB))
        opened.flush()
        os.fsync(opened.fileno())


def require_same(one: Path, other: Path) -> None:
    subprocess.run(["cmp", one, other], check=True)


def show(report: Report, results: Results, kept: dict[str, int]) -> None:
    for turn, by_whom in results.items():
        for who, rounds in by_whom.items():
            wall_s, cpu_s = median(r.wall_s for r in rounds), median(r.cpu_s for r in rounds)
            peak_mib = max(r.peak_mib for r in rounds)
            memory = f", {peak_mib:.0f} MiB" if peak_mib else ""
            report.line(f"{turn}: {who}", f"{wall_s:.2f} s wall, {cpu_s:.2f} s CPU{memory}")
    report.line("kept", ", ".join(f"{who} {size // MIB} MiB" for who, size in kept.items()))
    service_s = [
        ours.wall_s - alone.wall_s
        for ours, alone in zip(results["full"][OURS], results["full"][ENGINE], strict=True)
    ]
    report.line("full: what the service adds to the engine", f"{median(service_s):.2f} s")
    for turn, who, what, at_most in BOUNDS:
        if theirs := results[turn].get(who):
            attribute = f"{what}_s"
            ratios = [
                getattr(one, attribute) / getattr(other, attribute)
                for one, other in zip(results[turn][OURS], theirs, strict=True)
            ]
            value = median(ratios)
            shown = f"{value:.2f} ({min(ratios):.2f} … {max(ratios):.2f})"
            report.bound(f"{turn} / {who}, {what}", shown, value <= at_most, f"at most {at_most}")


def _peak_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [peak] = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(peak) * KIB / MIB
