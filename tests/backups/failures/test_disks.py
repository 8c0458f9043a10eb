"""A repository in a folder whose disk is full, or must not be written to."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drivers.units import MIB
from tests.backups.failures.site import BACKENDS, Site
from tests.drivers.volume.disks import mounted_disk

ON_A_DISK = """
[repositories.main]
driver = "directory"
path = "ext4/backups"
min_free_mib = 0
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted_disk("ext4", tmp_path, size_mib=32) as disk:
        yield disk


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Somebody else's data take all but a MiB."""
    hog = disk / "hog"
    with hog.open("wb") as file:
        free = os.statvfs(disk)
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - MIB)
    yield
    hog.unlink()


@contextmanager
def read_only(disk: Path) -> Iterator[None]:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    yield
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)


def test_a_full_disk(site: Site, disk: Path, configure: Callable[[str], None]) -> None:
    configure(BACKENDS + ON_A_DISK)
    (old, content), (new, other) = site.volume(), site.volume()
    kept = site.back_up(old)["id"]
    superfluous = site.back_up(old)["id"]
    with filled(disk):
        failed = site.back_up(new)
        site.require_failed(failed, new, "main: The repository has too little space")
        site.require_restorable(kept, content)
        site.delete(superfluous)
        site.delete(failed["id"])
        assert not site.has(superfluous)
        assert not site.has(failed["id"])
    site.require_restorable(site.back_up(new)["id"], other)
    site.require_restorable(kept, content)


def test_a_disk_that_must_not_be_written_to(
    site: Site, disk: Path, configure: Callable[[str], None]
) -> None:
    configure(BACKENDS + ON_A_DISK)
    (old, content), (new, other) = site.volume(), site.volume()
    kept = site.back_up(old)["id"]
    sentence = "main: The repository's storage is read-only; an operator must look at it."
    with read_only(disk):
        failed = site.back_up(new)
        site.require_failed(failed, new, sentence)
        site.require_restorable(kept, content)
        site.delete(kept)
        assert site.backup(kept)["status"] == "error_deleting"
        assert sentence in site.backup(kept)["fail_reason"]
    site.delete(kept)
    assert not site.has(kept)
    site.require_restorable(site.back_up(new)["id"], other)
