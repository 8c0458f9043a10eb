"""The commands of the clients, run as a user runs them: words in; output, errors, exit code out."""

import json
import logging
import multiprocessing
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import IO, Any

from cliff import command as cliff_command

PATIENCE_S = 120
# A new interpreter would need a second for its imports, each time.
FORK = multiprocessing.get_context("fork")


@cache
def load_commands() -> None:
    """Read what every command of `openstack` reads when it starts, once for all children."""
    for group in entry_points().groups:
        if group.startswith("openstack."):
            for each in entry_points(group=group):
                each.load()
    cliff_command._get_distributions_by_modules()


@dataclass(frozen=True)
class Ending:
    """How a command ended, and what it printed."""

    exit_code: int
    output: str
    errors: str


class CommandLine:
    """`openstack` or `cinder`, with the environment that signs a user in.

    What runs is what the installed script calls, in a process of its own.
    """

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        [script] = entry_points(group="console_scripts", name=name)
        if name == "openstack":
            load_commands()
        self._name = name
        self._main: Callable[[], object] = script.load()
        self._environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **environment}

    def __call__(self, line: str) -> str:
        """Run a command that succeeds; return its output."""
        ending = self.run(line)
        assert ending.exit_code == 0, f"{self._name} {line}: {ending}"
        return ending.output

    def json(self, line: str) -> Any:
        """Run a command of `openstack` that succeeds; return what it says."""
        return json.loads(self(f"{line} -f json"))

    def error(self, line: str) -> str:
        """Run a command that fails; return what it complains about."""
        ending = self.run(line)
        assert ending.exit_code, f"{self._name} {line} did not fail: {ending}"
        return ending.errors

    def run(self, line: str) -> Ending:
        """Run a command to its end."""
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            process = FORK.Process(
                target=self._become, args=(shlex.split(line), output, errors), daemon=True
            )
            process.start()
            process.join(PATIENCE_S)
            exit_code = process.exitcode
            process.kill()
            process.join()
            assert exit_code is not None, f"{self._name} {line} does not end: {_read(errors)}"
            return Ending(exit_code, _read(output), _read(errors))

    def _become(self, words: list[str], output: IO[str], errors: IO[str]) -> None:
        """Make of the child, which is like the tests, what a shell would start."""
        sys.stdout, sys.stderr = output, errors
        os.environ.clear()
        os.environ.update(self._environment)
        logging.root.handlers.clear()
        sys.argv = [self._name, *words]
        sys.exit(self._main())  # type: ignore[arg-type]


def _read(file: IO[str]) -> str:
    file.seek(0)
    return file.read()
