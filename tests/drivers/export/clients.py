"""Clients of exports: QEMU's own, which speak every protocol that we offer."""

import re
import shutil
import subprocess
from types import TracebackType
from typing import Self

from tests.drivers.volume.disks import lack

TIMEOUT_S = 30.0
CUT_OFF_S = 2.0

# What qemu-io writes when a command has failed, which it does not always tell by its exit code.
FAILED = re.compile(r"failed|error|verification|can't|not permitted|read-only", re.IGNORECASE)


def _command(options: str, *, read_only: bool) -> list[str]:
    if shutil.which("qemu-io") is None:
        lack("qemu-io")
    return ["qemu-io", *(["--read-only"] if read_only else []), "--image-opts", options]


def qemu_io(options: str, *commands: str, read_only: bool = False, succeeds: bool = True) -> str:
    """Run commands on an image and return what was said; fail unless it ends as expected."""
    command = _command(options, read_only=read_only)
    for each in commands:
        command += ["-c", each]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    said = done.stdout + done.stderr
    has_failed = done.returncode != 0 or FAILED.search(said) is not None
    assert has_failed is not succeeds, said
    return said


class OpenClient:
    """A client that stays connected. Leaving the block ends it, however it stands."""

    def __init__(self, options: str) -> None:
        self._process = subprocess.Popen(
            ["stdbuf", "-oL", *_command(options, read_only=False)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def do(self, command: str) -> None:
        """Run a command that succeeds."""
        self._tell(command)
        line = self._process.stdout.readline()
        while "ops;" not in line:  # the last line of what read and write say
            assert line, "the client has ended"
            assert not FAILED.search(line), line
            line = self._process.stdout.readline()

    def tries(self, command: str) -> bool:
        """Whether a command succeeds, as the client's last one; hanging is failing."""
        try:
            said, _ = self._process.communicate(f"{command}\nquit\n", timeout=CUT_OFF_S)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            return False
        return "ops;" in said

    def _tell(self, command: str) -> None:
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
