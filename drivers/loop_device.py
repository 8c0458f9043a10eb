"""A file as a block device of this machine: Linux's loop devices, through `losetup`. Needs root."""

import errno
import os
import shutil
import subprocess
import time
from pathlib import Path

from drivers.errors import DriverError, Reason

DETACH_WAIT_S = 5.0
POLL_S = 0.01


def find_device(path: Path) -> Path | None:
    """The device that a file is attached as; None when it is not."""
    found = _losetup("--associated", str(path), "--noheadings", "--output", "NAME").split()
    return Path(found[0]) if found else None


def attach(path: Path, *, read_only: bool = False) -> Path:
    """Attach a file as a device; one that is attached stays so, and takes over a new size."""
    if device := find_device(path):
        _losetup("--set-capacity", str(device))
        return device
    flags = ["--read-only"] if read_only else []
    return Path(_losetup("--find", "--show", *flags, str(path)).strip())


def detach(path: Path) -> None:
    """Take the device away; a file that has none is detached.

    Raises `busy` while something uses it: Linux would agree, and only do it when that has ended.
    """
    device = find_device(path)
    if device is None:
        return
    if _is_used(device):
        raise DriverError(
            f"{device} is still in use, by a mount for example; end that first.",
            code=Reason.busy,
            retryable=True,
        )
    _losetup("--detach", str(device))
    deadline = time.monotonic() + DETACH_WAIT_S
    while find_device(path) is not None:
        if time.monotonic() > deadline:
            raise DriverError(
                f"{device} was taken into use just now, and goes when that ends.", code=Reason.busy
            )
        time.sleep(POLL_S)


def _is_used(device: Path) -> bool:
    """Whether it is mounted, or a part of something that is."""
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL))
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise _translated(str(error)) from error
        return True
    return False


def _losetup(*arguments: str) -> str:
    program = shutil.which("losetup")
    if program is None:
        raise DriverError("losetup is not installed (package util-linux).", code=Reason.unsupported)
    done = subprocess.run(  # noqa: S603 - our own words
        [program, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise _translated(done.stderr.strip())
    return done.stdout


def _translated(detail: str) -> DriverError:
    return DriverError(
        f"The loop device could not be set up, which needs root: {detail}", code=Reason.unavailable
    )
