"""`manage.py up` as a process, in a home of its own."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import yaml

from tests.postgres import create_database
from tests.processes import children, descendants

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"


class Up:
    """An `up` that is running, or one that ended with a sentence; `output` is what it printed."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.output = ""
        self.environment = {**os.environ, "STORAGE_HOME": str(home), **environment}
        self.environment.setdefault("STORAGE_PORT", "0")
        self.environment.setdefault("FLOWER_PORT", "0")
        self.process = subprocess.Popen(
            [sys.executable, MANAGE, "up"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def read_until(self, text: str) -> None:
        """Read its output up to a line with this text, or to the end if there is none."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.output += line
            if text in line:
                return

    def wait_until_up(self) -> None:
        """Read all of its welcome."""
        self.read_until("Logs")
        assert "Khoi is up." in self.output, self.output

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; read the rest of its output and return its exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Read its output to the end and return its exit code."""
        assert self.process.stdout
        self.output += self.process.stdout.read()
        return self.process.wait()

    def leaders(self) -> dict[str, int]:
        """Its services by name, and the process of each that it has started itself."""
        named = children(self.process.pid).items()
        # The broker is executed, not forked, so that it has the name of its program.
        return {name.replace("valkey-server", "broker"): pid for pid, name in named}

    def tree(self) -> set[int]:
        """Every process of it, itself included."""
        return {self.process.pid, *descendants(self.process.pid)}

    @property
    def url(self) -> str:
        return self._printed("API").removesuffix("/v3/")

    @property
    def flower_url(self) -> str:
        return self._printed("Flower")

    def cloud(self, name: str) -> dict[str, str]:
        """The `auth` of a cloud in clouds.yaml."""
        clouds = yaml.safe_load((self.home / "clouds.yaml").read_text())["clouds"]
        auth: dict[str, str] = clouds[name]["auth"]
        return auth

    def _printed(self, label: str) -> str:
        found = re.search(rf"^  {label} +(http\S+)$", self.output, re.MULTILINE)
        assert found, self.output
        return found[1]


def own_database() -> dict[str, str]:
    """The environment for a database that no other `up` of this run uses."""
    url = os.environ.get("DATABASE_URL")
    return {"DATABASE_URL": create_database(url)} if url else {}
