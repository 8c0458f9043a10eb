"""Khoi on one machine, every process real: what the tests here kill parts of."""

import logging
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import yaml
from redis import Redis
from redis.exceptions import RedisError

from tests.crash.processes.client import Client
from tests.crash.processes.load import Load
from tests.postgres import create_database
from tests.processes import is_running
from tests.stack import HOST, Stack, file_backends, wait_until

log = logging.getLogger(__name__)

BACKENDS = ("fast", "slow")
CONTROL = ("control-1", "control-2")
# Accepted requests end in seconds, or when a lease of 30 s is over. A busy machine takes longer.
PATIENCE_S = 240


def backends(*names: str, **options: object) -> str:
    """The configuration of backends, of both by default, that do not mind what is promised."""
    driver = "tests.crash.processes.faulty_file.FaultyFileDriver"
    shared = {"driver": driver, "max_over_subscription_ratio": 1e6, "min_free_mib": 0}
    return file_backends(*names or BACKENDS, **shared | options)


def worker_of(backend: str) -> str:
    return f"volume-{backend}"


def own_database(home: Path) -> str:
    """The URL of a database that no other test uses."""
    server = os.environ.get("DATABASE_URL")
    return create_database(server) if server else f"sqlite:///{home / 'khoi.sqlite3'}"


class Cluster(Stack):
    """The stack with a web server, two control workers, a worker per backend, and dispatchers.

        with Cluster(home, backends()) as cluster: ...

    Everything runs inside. Nobody mends it: what dies by itself stays dead, and no test forgives
    that. The database is one that this run of the tests is about, unless there is a URL.
    """

    def __init__(
        self, home: Path, configuration: str, *, database_url: str = "", **environment: str
    ) -> None:
        url = database_url or own_database(home)
        super().__init__(home, database_url=url, configuration=configuration)
        self.environment |= environment
        self.backends = [name for name in BACKENDS if f"[backends.{name}]" in configuration]
        self.copies = ["data"] if "[repositories." in configuration else []
        self.workers = [*CONTROL, *map(worker_of, self.backends), *self.copies]
        # SQLite is one machine's own, and so has one dispatcher.
        several = url.startswith("postgres")
        self.dispatchers = ["dispatch-1", "dispatch-2"] if several else ["dispatch-1"]

    def __enter__(self) -> Self:
        try:
            self._start_everything()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start_everything(self) -> None:
        self.start_broker()
        clouds = self.prepare("http://elsewhere")  # the address is known when the web server runs
        self._start_workers()
        for name in self.dispatchers:
            self.start_dispatcher(name)
        self._url = self.start_web()
        self._tokens = {
            name: Client(self._url).sign_in(cloud["auth"])
            for name, cloud in yaml.safe_load(clouds.read_text())["clouds"].items()
        }
        self.admin, self.demo = self.client("admin"), self.client("demo")
        self.set_quota(volumes=-1, gigabytes=-1, backups=-1, backup_gigabytes=-1)
        for name in self.workers:
            self.wait_for_worker(name)
        wait_until(lambda: len(self._pools()) == len(self.backends), "the pools")
        wait_until(lambda: len(self._repositories()) == len(self.copies), "the repository")

    def _start_workers(self) -> None:
        for name in CONTROL:
            self.start_worker(name, queue="control")
        for name in self.backends:
            self.start_backend(name)
        for name in self.copies:
            self.start_worker(name, queue=f"data.{HOST}", threads=True)

    def start_backend(self, name: str) -> None:
        """Start the worker of a backend."""
        self.start_worker(worker_of(name), queue=f"volume.{HOST}@{name}")

    def _pools(self) -> list[Any]:
        found: list[Any] = self.admin.get("/v3/scheduler-stats/get_pools")["pools"]
        return found

    def _repositories(self) -> list[Any]:
        services: list[Any] = self.admin.get("/v3/os-services?binary=cinder-backup")["services"]
        return services

    def client(self, user: str) -> Client:
        """Signed in: `demo` is a member of the project `demo`, and `admin` may do anything."""
        return Client(self._url, self._tokens[user])

    def set_quota(self, **limits: int) -> None:
        """Set the limits of every project; -1 is none."""
        path = "/v3/os-quota-class-sets/default"
        answer = self.admin.send("PUT", path, {"quota_class_set": limits})
        assert answer.ok, answer.text

    def empty_broker(self) -> None:
        """FLUSHALL, as soon as the broker answers."""

        def flushed() -> bool:
            with suppress(RedisError), Redis.from_url(self.environment["BROKER_URL"]) as broker:
                return bool(broker.flushall())
            return False

        wait_until(flushed, "the broker")

    def run(self, code: str) -> str:
        """Run Python inside the stack's own Django, and return what it printed."""
        return self.manage("shell", "--no-imports", "--command", code)

    def volume(self, volume_id: str) -> dict[str, Any]:
        """A volume as an admin sees it."""
        found: dict[str, Any] = self.admin.get(f"/v3/volumes/{volume_id}")["volume"]
        return found

    def operation(self, volume_id: str, kind: str) -> dict[str, Any]:
        """The only operation of a kind on a volume, with its timeline."""
        [operation] = self.admin.operations(all_tenants="1", resource_id=volume_id, kind=kind)
        found: dict[str, Any] = self.admin.get(f"/v3/operations/{operation['id']}")["operation"]
        return found

    def at_work(self) -> set[str]:
        """The operations that a backend's workers are at."""
        found = self.admin.operations(all_tenants="1", status="running", step="provision")
        return {operation["id"] for operation in found}

    def active_operations(self) -> list[dict[str, Any]]:
        """Accepted requests that have not ended.

        All are looked at: asked for `pending` and then for `running`, one that goes to and fro
        between the two could hide.
        """
        every = self.admin.operations(all_tenants="1")
        return [each for each in every if each["status"] in ("pending", "running")]

    def wait_until_all_ended(self) -> None:
        def all_ended() -> bool:
            self._require_life()
            some = self.admin.operations(all_tenants="1", status="pending", limit="1")
            return not some and not self.active_operations()

        wait_until(all_ended, "all operations to end", patience_s=PATIENCE_S)

    def audit(self, load: Load | None = None) -> None:
        """Assert that all has ended and everything agrees, in the rows and on the disk."""
        accepted = load.accepted if load else {}
        kept = [(kind, volume, times) for (kind, volume), times in accepted.items()]
        self.run(f"from tests.crash.processes.audit import audit; audit({kept!r})")
        drafts = [*self.home.glob("volumes/*/drafts/*")]
        assert not drafts, f"drafts are left behind: {drafts}"

    def require_kept(self, load: Load) -> None:
        """Assert that all that was accepted ends, and well: a kill is no reason to fail."""
        assert load.surprises == []
        started = time.monotonic()
        self.wait_until_all_ended()
        took_s = time.monotonic() - started
        log.warning("%d accepted; all ended %.1f s later", load.accepted.total(), took_s)
        self.audit(load)
        # What did not succeed was cancelled by its user.
        failed = self.admin.operations(all_tenants="1", status="failed")
        assert not failed, [f"{each['kind']} {each['id']}: {each['error']}" for each in failed]

    def _require_life(self) -> None:
        dead = [name for name, process in self.processes.items() if not is_running(process.pid)]
        assert not dead, f"died by themselves: {dead}"
