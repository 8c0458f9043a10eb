"""A real file system comes back whole: its own checker finds nothing, and every file is as it was.

The volume is a disk with ext4. It is read and changed with e2fsprogs, which need no mount.
"""

import filecmp
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from django.conf import settings

from backups.models import Backup
from backups.services.restores import create_volume_from_backup
from drivers.units import KIB, MIB
from tests.operations.world import World
from volumes.models import Volume
from volumes.services.volumes import delete_volume

pytestmark = pytest.mark.django_db(transaction=True)

CONFIGURATION = """
[backends.one]
driver = "file"
path = "one"
[backends.two]
driver = "file"
path = "two"
[repositories.main]
driver = "directory"
path = "backups"
key_file = "key"
"""


def test_of_ext4(world: World, configure: Callable[[str], None], tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(Random(1).randbytes(32))
    configure(CONFIGURATION)
    volume = world.volume()
    disk = file_of(volume)
    before, after = tmp_path / "before", tmp_path / "after"
    write_files(before, Random(2))
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", before, disk], check=True)
    first = world.backup(volume)

    # A file goes, one grows, and one comes.
    subprocess.run(["cp", "--archive", before, after], check=True)
    (after / "text").unlink()
    (after / "grown").write_bytes((after / "grown").read_bytes() + Random(3).randbytes(3 * MIB))
    (after / "new").write_bytes(b"new\n" * MIB)
    changes = [
        "rm text",
        "rm grown",
        *(f"write {after / name} {name}" for name in ("grown", "new")),
    ]
    debugfs(disk, *changes, writes=True)
    second = world.backup(Volume.objects.get(pk=volume.pk), incremental=True)

    delete_volume(volume=Volume.objects.get(pk=volume.pk), caller=world.caller)
    world.engine.run()
    assert not disk.exists()
    for backup, files in ((first, before), (second, after)):
        restored = file_of(bring_back(world, backup))
        checked = subprocess.run(["e2fsck", "-f", "-n", restored], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout
        found = tmp_path / f"found-{files.name}"
        found.mkdir()
        debugfs(restored, f"rdump / {found}")
        (found / "lost+found").rmdir()
        require_same(files, found)


def bring_back(world: World, backup: Backup) -> Volume:
    made = create_volume_from_backup(backup=backup, caller=world.caller)
    world.engine.run()
    made.refresh_from_db()
    assert made.status == "available"
    return made


def file_of(volume: Volume) -> Path:
    assert volume.pool is not None
    return settings.STORAGE_HOME / volume.pool.backend / "volumes" / str(volume.pk)


def write_files(folder: Path, random: Random) -> None:
    """Some of every kind: empty, small, large, random, and one with a hole."""
    (folder / "many").mkdir(parents=True)
    for number in range(300):
        (folder / "many" / str(number)).write_bytes(random.randbytes(random.randrange(8 * KIB)))
    (folder / "empty").touch()
    (folder / "text").write_text("all that there is to say\n" * 100_000)
    (folder / "grown").write_bytes(random.randbytes(5 * MIB + 1))
    with (folder / "hole").open("wb") as file:
        file.seek(7 * MIB)
        file.write(b"end")


def debugfs(disk: Path, *commands: str, writes: bool = False) -> None:
    options = ["-w"] if writes else []
    done = subprocess.run(
        ["debugfs", *options, "-f", "-", disk],
        input="\n".join(commands),
        capture_output=True,
        text=True,
    )
    complaints = [line for line in done.stderr.splitlines()[1:] if line]  # after its version
    assert (done.returncode, complaints) == (0, [])


def require_same(one: Path, other: Path) -> None:
    """Assert that two folders have the same files with the same content."""
    compared = filecmp.dircmp(one, other)
    assert (compared.left_only, compared.right_only) == ([], [])
    files = [str(path.relative_to(one)) for path in one.rglob("*") if path.is_file()]
    assert filecmp.cmpfiles(one, other, files, shallow=False)[1:] == ([], [])
