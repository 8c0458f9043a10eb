"""Real disks of a few MiB for tests: an image file, formatted and mounted. Needs root."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

# Where files can share blocks: the folder that the environment names, or disks made for the tests.
GIVEN_FOLDER = os.environ.get("STORAGE_TEST_REFLINK_DIR")
REFLINK_DISKS = ["given"] if GIVEN_FOLDER else ["xfs", "btrfs"]

# How large each is made; the image takes only what is written.
SIZES_MIB = {"xfs": 1024, "btrfs": 1024, "ext4": 64}


def lack(what: str) -> None:
    """Skip the test, saying what this machine lacks; with REQUIRE_ALL=1, as in CI, fail it."""
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(f"REQUIRE_ALL=1, but this machine lacks {what}")
    pytest.skip(f"this machine lacks {what}")


@contextmanager
def mounted_disk(kind: str, folder: Path, *, size_mib: int | None = None) -> Iterator[Path]:
    """Make a disk with a file system of this kind, and yield where it is mounted."""
    if os.geteuid() != 0:
        lack(f"root, to mount a disk with {kind}")
    if shutil.which(f"mkfs.{kind}") is None:
        lack(f"mkfs.{kind}")
    image, mount_point = folder / f"{kind}.img", folder / kind
    mount_point.mkdir()
    with image.open("wb") as file:
        file.truncate((size_mib or SIZES_MIB[kind]) << 20)
    subprocess.run([f"mkfs.{kind}", image], check=True, capture_output=True)
    mounted = subprocess.run(
        ["mount", "-o", "loop", image, mount_point], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        lack(f"the right to mount a disk with {kind}: {mounted.stderr.strip()}")
    try:
        yield mount_point
    finally:
        subprocess.run(["umount", mount_point], check=True)
        image.unlink()


class ReflinkDisks:
    """The disks where files can share blocks, each mounted when it is first asked for."""

    def __init__(self, images: Path, stack: ExitStack) -> None:
        self.images = images
        self.stack = stack
        self.mounted: dict[str, Path] = {"given": Path(GIVEN_FOLDER)} if GIVEN_FOLDER else {}

    def folder(self, kind: str) -> Path:
        if kind not in self.mounted:
            self.mounted[kind] = self.stack.enter_context(mounted_disk(kind, self.images))
        return self.mounted[kind]
