"""`manage.py demo` as a process, in a home of its own."""

import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.supervisor.running import MANAGE


class Demo:
    """A demo that is running; `output` is what it has printed so far.

    `on_terminal` gives it a terminal to print to, instead of a pipe.
    """

    def __init__(
        self, home: Path, environment: Mapping[str, str], *, on_terminal: bool = False
    ) -> None:
        self.output = ""
        ours, its = pty.openpty() if on_terminal else os.pipe()
        surroundings = {"STORAGE_PORT": "0", "FLOWER_PORT": "0", "TERM": "xterm", "COLUMNS": "160"}
        self.process = subprocess.Popen(
            [sys.executable, MANAGE, "demo"],
            env={**os.environ, **surroundings, "STORAGE_HOME": str(home), **environment},
            stdin=subprocess.DEVNULL,
            stdout=its,
            stderr=its,
        )
        os.close(its)
        self._output = os.fdopen(ours, "rb", buffering=0)

    def read_until(self, text: str) -> None:
        """Read its output until it has printed this."""
        while text not in self.output:
            assert self._read(), self.output

    def wait(self) -> int:
        """Read its output to the end and return its exit code."""
        while self._read():
            pass
        self._output.close()
        return self.process.wait()

    def _read(self) -> bool:
        """Whether there was more. A terminal that nobody writes to any more is an error."""
        text = b""
        with suppress(OSError):
            text = self._output.read(65536)
        self.output += text.decode(errors="replace")
        return bool(text)
