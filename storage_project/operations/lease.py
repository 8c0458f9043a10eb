"""Leases: the right of one process to run an operation until a time, extended by a heartbeat.

A process names itself `<node>/<machine>/<pid>/<start time>`, which no other process ever does, so
a worker that starts can tell which leases belong to dead processes of its node, and free them. It
judges only its own machine (or container), the one whose processes it sees.

A thread cannot be killed. So work that shows no progress for long is taken for hung: its lease is
no longer extended, and whoever claims the operation next goes on with it. A process in which
nothing but hung work is left ends itself, to be started again.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.db.models import Q
from django.db.models.functions import Now

from storage_project.operations import statements
from storage_project.operations.models import Operation
from storage_project.operations.returning import update_returning
from storage_project.operations.run import PATIENCE_S, Run
from storage_project.operations.states import PLACED, Status

LEASE_S = 30
BEAT_S = 10
# Longer than any disk takes to sync, and any store to answer or be given up.
HUNG_AFTER_S = 900

log = structlog.get_logger(__name__)

FREE = Q(lease_until__isnull=True) | Q(lease_until__lte=Now())


class Node:
    """The name of this worker; Celery's node name once a worker starts (`control@box`)."""

    name = "local"


@cache
def _process_name(pid: int) -> str:
    return f"{pid}/{_start_time(pid)}"


def _start_time(pid: int) -> str | None:
    """When `pid` started, in clock ticks since boot; None when it does not live."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command may hold spaces and brackets; the fields are counted from its last bracket.
    state, *fields = stat.rpartition(")")[2].split()
    # A zombie is dead, though nobody has asked for its exit code yet.
    return None if state == "Z" else fields[18]


def owner() -> str:
    """This process as the holder of leases."""
    return f"{_place(Node.name)}{_process_name(os.getpid())}"


def _place(node: str) -> str:
    return f"{node}/{socket.gethostname()}/"


def claim(operation_id: str, step: str, queue: str | None = None) -> Operation | None:
    """Take the lease of `operation_id` at `step` in one statement; None when it is not to be had.

    With `queue`, a placed step is only taken if that is where it belongs now: a late message in the
    queue of a backend that has been given up must not run there.
    """
    return statements.claim(
        operation_id,
        step,
        owner=owner(),
        lease_s=LEASE_S,
        patience_s=PATIENCE_S,
        queue=queue if step in PLACED else None,
    )


def release_dead_leases(node: str) -> int:
    """Free the leases of processes of `node` that are no more; return how many there were."""
    freed = 0
    held = Operation.objects.filter(status=Status.RUNNING, owner__startswith=_place(node))
    for holder in held.values_list("owner", flat=True).distinct():
        pid, _, started = holder.removeprefix(_place(node)).partition("/")
        if _start_time(int(pid)) != started:
            freed += Operation.objects.filter(status=Status.RUNNING, owner=holder).update(
                status=Status.PENDING, owner="", lease_until=None, ring_after=Now()
            )
    if freed:
        log.warning("leases of dead processes freed", node=node, operations=freed)
    return freed


@dataclass
class Held:
    """A lease of this process, and when its work last showed progress."""

    run: Run
    seen: object = None
    since: float = field(default_factory=time.monotonic)

    def look(self) -> bool:
        """Tell whether it has shown none for so long that it is given up."""
        operation, now = self.run.operation, time.monotonic()
        if self.seen != (shown := (operation.progress_bytes, operation.phase)):
            self.seen, self.since = shown, now
        return now - self.since > HUNG_AFTER_S


class Heartbeat:
    """A thread, while this process holds leases, that extends them and writes their progress."""

    def __init__(self) -> None:
        self._held: dict[int, Held] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pid = 0

    @contextmanager
    def hold(self, run: Run) -> Iterator[None]:
        """Keep the lease of `run` alive while the block runs."""
        with self._lock:
            self._held[id(run)] = Held(run)
            self._start_thread()
        try:
            yield
        finally:
            with self._lock:
                del self._held[id(run)]

    def _start_thread(self) -> None:
        # A child of fork() has a copy of this object but not of the thread.
        if self._thread is None or self._pid != os.getpid():
            self._pid = os.getpid()
            self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
            self._thread.start()

    def _beat(self) -> None:
        pause = threading.Event()
        while not pause.wait(BEAT_S):
            with self._lock:
                held = list(self._held.values())
                if not held:
                    self._thread = None
                    break
            close_old_connections()
            hung = [each for each in held if self._beat_for(each)]
            if len(hung) == len(held):
                end_this_process()
        # An idle process keeps no second connection to the database.
        connection.close()

    def _beat_for(self, held: Held) -> bool:
        """Extend one lease, unless the work is hung; tell whether it is."""
        run = held.run
        if held.look():
            if not run.lease_lost:
                log.error("hung: its lease is given up", operation=str(run.operation))
            run.lease_lost = True  # should it go on after all, it stops
            return True
        try:
            self.extend(run)
        except (DatabaseError, InterfaceError) as error:
            # The database is away. The lease may run out; then the fence decides.
            log.warning("heartbeat failed", operation=str(run.operation), error=str(error))
        return False

    @staticmethod
    def extend(run: Run) -> None:
        """Extend one lease, write its progress, and learn of a cancel or a loss."""
        operation = run.operation
        rows = update_returning(
            Operation.objects.filter(pk=operation.pk, fence=operation.fence, status=Status.RUNNING),
            lease_until=Now() + timedelta(seconds=LEASE_S),
            deadline_at=Now() + timedelta(seconds=LEASE_S + PATIENCE_S),
            phase=operation.phase,
            progress_bytes=operation.progress_bytes,
            total_bytes=operation.total_bytes,
            counted=operation.counted,
            updated_at=Now(),
        )
        run.lease_lost = not rows
        run.cancel_requested = any(row.cancel_requested for row in rows)


def end_this_process() -> None:
    """Die at once, as killed: threads that hang would be waited for. Who started it does again."""
    log.critical("all that this process works on hangs: it ends, to be started again")
    os.kill(os.getpid(), signal.SIGKILL)


heartbeat = Heartbeat()
