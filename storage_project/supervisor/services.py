"""The processes of Khoi beside its database and broker, each as its command line.

docker/compose.yaml has the same ones; a test compares them.
"""

from collections.abc import Collection
from functools import partial
from pathlib import Path

from django.conf import settings

from storage_project.config import Backend, Copies, Hypervisor
from storage_project.supervisor.addresses import Address
from storage_project.supervisor.readiness import wait_for_page, wait_for_worker
from storage_project.supervisor.service import Service, StopOrder

CELERY = ["celery", "--app=storage_project.celery:app"]
# More than there are cores on a small machine: much of a step is waiting for the database.
CONTROL_PROCESSES = 4
# What Flower keeps of the past; a task is about 2 KiB there.
FLOWER_TASKS = 5_000
FLOWER_SAVES_EVERY_MS = 300_000


def web(*, listens_on: int, address: Address) -> Service:
    """The API and the pages, on a socket that is open already."""
    return Service(
        name="web",
        argv=[
            "gunicorn",
            "storage_project.wsgi:application",
            f"--bind=fd://{listens_on}",
            "--worker-class=gthread",
            "--workers=2",
            "--threads=4",
            "--keep-alive=15",
            "--graceful-timeout=8",
            "--worker-tmp-dir=/dev/shm",  # a heartbeat must not wait for a disk
            "--preload",
            "--no-control-socket",
        ],
        stop_order=StopOrder.WEB,
        wait_until_ready=partial(wait_for_page, f"{address.url}/healthz"),
        listens_on=listens_on,
    )


def control() -> Service:
    """Runs the steps that may run anywhere."""
    return _worker("control", "control", CONTROL_PROCESSES)


def volume(backend: Backend) -> Service:
    """Runs the steps of one backend, where that backend is."""
    queue = f"volume.{settings.STORAGE_HOST}@{backend.name}"
    in_process = backend.driver_class.in_process
    return _worker(f"volume-{backend.name}", queue, backend.workers, threads=in_process)


def data(copies: Copies) -> Service:
    """Runs long copies, so that short work never waits behind them; all in one process, so that
    they share its bounds, and what it remembers of repositories."""
    return _worker("data", f"data.{settings.STORAGE_HOST}", copies.workers, threads=True)


def compute(hypervisors: Collection[Hypervisor]) -> Service:
    """Attaches to, and detaches from, the servers of this machine."""
    return _worker(
        "compute",
        f"compute.{settings.STORAGE_HOST}",
        sum(hypervisor.workers for hypervisor in hypervisors),
        threads=any(hypervisor.driver_class.in_process for hypervisor in hypervisors),
    )


def exports() -> Service:
    """Keeps the exports of this machine as its rows want them, and their daemons alive."""
    return Service(
        name="exports",
        argv=["./manage.py", "exports", "--skip-checks"],
        stop_order=StopOrder.EXPORTS,
        # It works when it has not died; what is attached meanwhile waits for its daemons.
        wait_until_ready=lambda: None,
    )


def dispatch() -> Service:
    """Rings operations: new ones, and those that were lost."""
    return Service(
        name="dispatch",
        argv=["./manage.py", "dispatch", "--skip-checks"],
        stop_order=StopOrder.DISPATCHER,
        # It serves nobody: it works when it has not died, which is seen while the others start.
        wait_until_ready=lambda: None,
    )


def flower(*, address: Address, state: Path, sign_in: str) -> Service:
    """The page that shows tasks and workers. Its sign-in is not an argument: ps shows those."""
    return Service(
        name="flower",
        argv=[
            *CELERY,
            "flower",
            f"--address={address.host}",
            f"--port={address.port}",
            f"--max-tasks={FLOWER_TASKS}",
            "--persistent=True",
            f"--db={state}",
            f"--state-save-interval={FLOWER_SAVES_EVERY_MS}",
            # The argument of a task is the id of its operation.
            "--tasks_columns=name,args,state,received,runtime,worker",
        ],
        environment={"FLOWER_BASIC_AUTH": sign_in},
        stop_order=StopOrder.MONITOR,
        wait_until_ready=partial(wait_for_page, f"{address.url}/healthcheck"),
    )


def _worker(name: str, queue: str, processes: int, *, threads: bool = False) -> Service:
    node = f"{name}@{settings.STORAGE_HOST}"
    return Service(
        name=name,
        argv=[
            *CELERY,
            "worker",
            f"--hostname={node}",
            f"--queues={queue}",
            f"--concurrency={processes}",
            *(["--pool=threads"] if threads else []),
            # Workers have nothing to tell each other; asking around costs a second at the start.
            "--without-gossip",
            "--without-mingle",
        ],
        stop_order=StopOrder.WORKER,
        wait_until_ready=partial(wait_for_worker, node),
    )
