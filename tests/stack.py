"""Khoi as real processes, for the tests that kill them and the benchmarks that measure them.

    with Stack(home, database_url=…) as stack:
        stack.start_worker("control", queue="control")
        stack.processes["control"].kill()

Every process is a session of its own, so `kill -9` of one takes its pool children only if asked to.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from storage_project.supervisor.broker import find_valkey

ROOT = Path(__file__).resolve().parent.parent
HOST = "box"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 60


class Process:
    """One process with what it forks: a session."""

    def __init__(self, argv: Iterable[str], *, environment: Mapping[str, str], log: Path) -> None:
        self._argv = [*argv]
        self._environment = dict(environment)
        self._log = log
        self.start()

    def start(self) -> None:
        """Start it, also again after it was killed."""
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(
                self._argv,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def kill(self, *, children: bool = True) -> None:
        """`kill -9`: the whole session, or its first process alone."""
        with suppress(ProcessLookupError):
            (os.killpg if children else os.kill)(self.pid, signal.SIGKILL)
        self._popen.wait()
        if children:
            # What they have open is in use until the last of them is gone.
            wait_until(lambda: not self.pids(), "the killed processes to be gone")

    def stop(self) -> None:
        """Ask it to end, and make it after a while."""
        self.signal(signal.SIGTERM)
        try:
            self._popen.wait(PATIENCE_S)
        finally:
            self.kill()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the first process."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def pids(self) -> list[int]:
        """All processes of the session that live."""
        return [pid for pid, session, _ in _processes() if session == self.pid]

    def cpu_s(self) -> float:
        """CPU seconds that the living processes of the session have used."""
        return sum(ticks for _, session, ticks in _processes() if session == self.pid) / TICKS_PER_S

    def log(self) -> str:
        return self._log.read_text(errors="replace")


def _processes() -> Iterable[tuple[int, int, int]]:
    """(pid, session, clock ticks of CPU) of everything that runs."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(FileNotFoundError, ProcessLookupError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                # Reaped children included: a worker's child that was replaced counts too.
                yield int(entry.name), int(fields[3]), sum(map(int, fields[11:15]))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(true: Callable[[], bool], what: str, *, patience_s: float = PATIENCE_S) -> None:
    """Return once `true()`; raise after a generous while, naming what never came."""
    deadline = time.monotonic() + patience_s
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {patience_s:.0f} s for {what}")
        time.sleep(0.02)


class Stack:
    """A home folder, a broker, and the processes that are started on them."""

    def __init__(self, home: Path, *, database_url: str, configuration: str) -> None:
        self.home = home
        self.processes: dict[str, Process] = {}
        (home / "log").mkdir(parents=True, exist_ok=True)
        (home / "storage.toml").write_text(configuration)
        self.broker_port = free_port()
        self.environment = {
            **os.environ,
            "STORAGE_HOME": str(home),
            "STORAGE_HOST": HOST,
            "STORAGE_CONFIG": str(home / "storage.toml"),
            "DATABASE_URL": database_url,
            "BROKER_URL": f"redis://127.0.0.1:{self.broker_port}/0",
            "DJANGO_SETTINGS_MODULE": "storage_project.settings",
        }

    def __enter__(self) -> Self:
        self.manage("migrate", "--verbosity=0")
        self.start_broker()
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes.values()):
            process.kill()

    def manage(self, *arguments: str, **environment: str) -> str:
        """Run `manage.py` to its end and return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"manage.py {arguments[0]}: {done.stderr}")
        return done.stdout

    def prepare(self, url: str) -> Path:
        """Make the users `admin` and `demo` of the API at `url`; return their clouds.yaml."""
        self.manage("prepare", STORAGE_PUBLIC_URL=url)
        return self.home / "clouds.yaml"

    def start_broker(self) -> Process:
        """Valkey on a port of its own, as durable as the embedded one."""
        return self.start(
            "broker",
            [
                find_valkey(),
                *("--port", str(self.broker_port)),
                *("--bind", "127.0.0.1"),
                *("--dir", str(self.home)),
                *("--appendonly", "yes"),
                *("--save", ""),
            ],
        )

    def start_worker(
        self,
        name: str,
        *,
        queue: str,
        processes: int = 2,
        include: str = "",
        threads: bool = False,
    ) -> Process:
        """A Celery worker; `include` is a module with more tasks. With `threads` it is one process,
        as what lives in memory needs it."""
        return self.start(
            name,
            [
                *(sys.executable, "-m", "celery", "--app", "storage_project.celery:app", "worker"),
                *("--hostname", f"{name}@{HOST}"),
                *("--queues", queue),
                *("--concurrency", str(processes)),
                *(("--pool", "threads") if threads else ()),
                *("--without-gossip", "--without-mingle"),
                *(("--include", include) if include else ()),
            ],
        )

    def start_dispatcher(self, name: str = "dispatch") -> Process:
        return self.start(name, [sys.executable, "manage.py", "dispatch"])

    def start_exports(self) -> Process:
        """What keeps the exports that have daemons."""
        return self.start("exports", [sys.executable, "manage.py", "exports"])

    def start_web(self) -> str:
        """gunicorn as `up` runs it; returns the address of the API."""
        port = free_port()
        self.start(
            "web",
            [
                *(sys.executable, "-m", "gunicorn", "storage_project.wsgi:application"),
                *("--bind", f"127.0.0.1:{port}"),
                *("--worker-class", "gthread", "--workers", "2", "--threads", "4"),
                *("--keep-alive", "15", "--preload", "--no-control-socket"),
            ],
        )
        wait_until(lambda: _answers(port), "the web server")
        return f"http://127.0.0.1:{port}"

    def wait_for_worker(self, name: str) -> None:
        """Return once a worker has said that it takes messages."""
        log = self.processes[name].log
        wait_until(lambda: f"{name}@{HOST} ready" in log(), f"worker {name}")

    def start(self, name: str, argv: list[str]) -> Process:
        """Anything else that belongs to it."""
        log = self.home / "log" / f"{name}.log"
        self.processes[name] = Process(argv, environment=self.environment, log=log)
        return self.processes[name]


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def file_backends(*names: str, **options: object) -> str:
    """The configuration of backends that keep files, all with the same options."""
    shared = {"driver": "file", **options}
    lines = [f"{key} = {json.dumps(value)}" for key, value in shared.items()]
    return "\n".join(
        "\n".join([f"[backends.{name}]", f'path = "volumes/{name}"', *lines]) for name in names
    )


def simulated_hypervisor(name: str, *servers: str) -> str:
    """The configuration of a hypervisor with these servers, in the memory of a `compute` worker."""
    return f'\n[hypervisors.{name}]\ndriver = "memory"\nservers = {json.dumps(servers)}\n'


def directory_repository(name: str) -> str:
    """The configuration of a repository in a folder of the home."""
    return f'\n[repositories.{name}]\ndriver = "directory"\npath = "repositories/{name}"\n'
