"""docker/compose.yaml, process by process, as real processes on PostgreSQL and Valkey.

What only an image registry could give is left out; every command, its environment and its health
check are taken from the file.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from storage_project.config import Copies, load_configuration
from storage_project.supervisor import services
from storage_project.supervisor.addresses import Address
from storage_project.supervisor.broker import find_valkey
from storage_project.supervisor.preparation import DEFAULT_CONFIGURATION
from tests.postgres import PostgresServer
from tests.stack import free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"]
OURS = {name: service for name, service in COMPOSE.items() if service["image"] == "khoi"}
LASTING = sorted(OURS.keys() - {"prepare"})
# Chosen by whoever deploys.
CHOICES = {"POSTGRES_PASSWORD": "secret", "FLOWER_BASIC_AUTH": "operator:secret"}


class Deployment:
    """Every process of the file on this machine: the same, but for addresses and folders."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        self.api_port, self.flower_port = free_port(), free_port()
        broker = folder / "broker.sock"
        self._replacements = {
            "0.0.0.0": "127.0.0.1",
            "8776": str(self.api_port),
            "5555": str(self.flower_port),
            "/var/lib/khoi": str(folder / "home"),
        }
        self._places = {"DATABASE_URL": database_url, "BROKER_URL": f"redis+socket://{broker}"}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._start("valkey", {}, ["--port", "0", "--unixsocket", str(broker)])
        wait_until(broker.exists, "a broker")
        self._start("prepare", self.environment("prepare"))
        assert self.processes.pop("prepare").wait() == 0, self.log("prepare")
        for name in LASTING:
            self._start(name, self.environment(name))

    def environment(self, name: str) -> dict[str, str]:
        """What the file sets for a service."""
        declared = {key: self._fill_in(value) for key, value in OURS[name]["environment"].items()}
        return {**declared, **self._places}

    def is_healthy(self, name: str) -> bool:
        """The answer of the service's own health check."""
        _, *command = OURS[name]["healthcheck"]["test"]
        command = [self._fill_in(part) for part in command]
        environment = self._with_programs(self.environment(name))
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True)
        assert self.processes[name].poll() is None, self.log(name)
        return done.returncode == 0

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def kill(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()

    def _start(self, name: str, environment: Mapping[str, str], more: list[str] = []) -> None:  # noqa: B006
        command = [self._fill_in(part) for part in COMPOSE[name]["command"]]
        if command[0] == "valkey-server":
            command[0] = find_valkey()
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [*command, *more],
                cwd=self.folder if name == "valkey" else ROOT,
                env=self._with_programs(environment),
                stdout=log,
                stderr=log,
            )

    def _with_programs(self, environment: Mapping[str, str]) -> dict[str, str]:
        """As in the image: the programs of the virtual environment are on PATH."""
        programs = Path(sys.executable).parent
        return {**environment, "PATH": f"{programs}:{os.environ['PATH']}"}

    def _fill_in(self, text: str) -> str:
        """As docker compose does with `${NAME:-default}` and `${NAME:?complaint}`."""
        text = re.sub(
            r"\$\{(\w+):([-?])([^}]*)\}",
            lambda found: CHOICES.get(found[1], found[3] if found[2] == "-" else ""),
            text,
        )
        for ours, here in self._replacements.items():
            text = text.replace(ours, here)
        return text


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with PostgresServer() as postgres:
        running = Deployment(tmp_path_factory.mktemp("compose"), postgres.url)
        yield running
        running.kill()


def test_runs_what_up_runs(settings):
    settings.STORAGE_HOST = OURS["web"]["environment"]["STORAGE_HOST"]
    backends = load_configuration(DEFAULT_CONFIGURATION).backends.values()
    of_up = [
        services.web(listens_on=0, address=Address("0.0.0.0", 8776)),
        services.control(),
        *map(services.volume, backends),
        services.data(Copies()),
        services.dispatch(),
        services.flower(
            address=Address("0.0.0.0", 5555), state=Path("/var/lib/khoi/flower"), sign_in=""
        ),
    ]
    declared = {name: OURS[name]["command"] for name in LASTING}
    declared["web"] = [part for part in declared["web"] if not part.startswith("--bind=")]
    expected = {each.name: [*each.argv] for each in of_up}
    expected["web"].remove("--bind=fd://0")
    assert declared == expected


@pytest.mark.parametrize("name", [name for name in LASTING if "healthcheck" in OURS[name]])
def test_gets_healthy(deployment, name):
    wait_until(lambda: deployment.is_healthy(name), f"the health of {name}")


def test_makes_a_volume(deployment):
    assert make_volume(deployment) == "available"


def make_volume(deployment: Deployment) -> Any:
    """Its status, once it is not being made any more."""
    url = f"http://127.0.0.1:{deployment.api_port}"
    clouds = yaml.safe_load((deployment.folder / "home" / "clouds.yaml").read_text())["clouds"]
    demo = clouds["demo"]["auth"]
    session = requests.Session()
    session.auth = (demo["username"], demo["password"])
    wait_until(lambda: deployment.is_healthy("web"), "the health of web")
    answer = session.post(f"{url}/v3/volumes", json={"volume": {"size": 1}})
    assert answer.status_code == 202, answer.text
    volume = f"{url}/v3/volumes/{answer.json()['volume']['id']}"

    def status() -> Any:
        return session.get(volume).json()["volume"]["status"]

    wait_until(lambda: status() != "creating", "an end of creating")
    return status()


def test_flower_asks_who_it_is(deployment):
    wait_until(lambda: deployment.is_healthy("flower"), "the health of flower")
    url = f"http://127.0.0.1:{deployment.flower_port}/workers"
    assert requests.get(url).status_code == 401
    assert requests.get(url, auth=("operator", "secret")).status_code == 200


def test_stops_when_it_is_asked(deployment):
    # Whoever is still starting is ended by the signal itself.
    for name in LASTING:
        if "healthcheck" in OURS[name]:
            wait_until(lambda name=name: deployment.is_healthy(name), f"the health of {name}")
    make_volume(deployment)
    for name in LASTING:
        deployment.processes[name].send_signal(signal.SIGTERM)
    codes = {name: deployment.processes[name].wait(timeout=60) for name in LASTING}
    assert codes == dict.fromkeys(LASTING, 0)
