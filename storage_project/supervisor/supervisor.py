"""Starts services, starts again what dies, and stops them in order.

One thread and no signal handlers: the signals are blocked, and `sigtimedwait` is where the process
spends its life. So nothing ever happens between two lines of this file, and a fork is safe.
"""

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Protocol

from storage_project.supervisor.child import Child, fork, kill_group
from storage_project.supervisor.errors import StartError, StopRequested
from storage_project.supervisor.image import become
from storage_project.supervisor.log import Log
from storage_project.supervisor.prctl import tie_children_to_parents
from storage_project.supervisor.service import Service

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# A service that lived this long is started again at once; a younger one after a pause.
GROWN_UP_S = 10.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0

TRIM_LOGS_EVERY_S = 60.0


class Observer(Protocol):
    """Is told what happens, as it happens."""

    def began(self, name: str) -> None: ...
    def finished(self, name: str) -> None: ...
    def stopped(self, name: str) -> None: ...
    def notice(self, sentence: str) -> None: ...
    def breathe(self) -> float:
        """Redraw; return the seconds until it wants to breathe again."""


@dataclass(slots=True)
class Watched:
    """A service and its present life; between two lives, when the next one begins."""

    service: Service
    child: Child
    # Only what has been ready once is started again: before that, its death ends the start.
    ready: bool = False
    early_deaths: int = 0
    starts_at: float = float("inf")


class Supervisor:
    """The parent of every process. Use it from the main thread, while there is no other."""

    def __init__(self, *, logs: Path, observer: Observer) -> None:
        self._logs = logs
        self._observer = observer
        self._children: dict[int, Child] = {}
        self._watched: dict[str, Watched] = {}
        self._listening: set[int] = set()
        self._stopping = self._hurried = False
        self._trim_at = 0.0
        # Not those that somebody had ignored before, as nohup does with SIGHUP.
        self._awaited = {
            signal.SIGCHLD,
            *(each for each in STOP_SIGNALS if signal.getsignal(each) != signal.SIG_IGN),
        }
        signal.pthread_sigmask(signal.SIG_BLOCK, self._awaited)
        tie_children_to_parents()

    def begin(self, name: str, body: Callable[[], None]) -> Child:
        """Run `body` once, in a child; `finish` waits for it."""
        self._observer.began(name)
        return self._fork(name, body, log=self._log(name))

    def finish(self, child: Child) -> None:
        """Wait until a child has ended; raise `StartError` unless it succeeded."""
        self._wait(lambda: not child.running)
        if child.exit_code != 0:
            raise _start_error(child, child.describe_end())
        self._observer.finished(child.name)

    def run_in_front(self, name: str, body: Callable[[], None]) -> int:
        """Run `body` in a child that writes to our terminal; return its exit code."""
        child = self._fork(name, body, log=None)
        self._wait(lambda: not child.running)
        return child.exit_code or 0

    def start(self, services: Sequence[Service]) -> None:
        """Start services side by side, to be kept running; return once all are ready.

        Raises `StartError` as soon as one dies before that, or is not ready in its time.
        """
        self._listening |= {each.listens_on for each in services if each.listens_on is not None}
        for service in services:
            self._observer.began(service.name)
            self._watched[service.name] = Watched(service, self._spawn(service))
        probes = {
            service.name: self._fork("probe", service.wait_until_ready, log=self._log("probe"))
            for service in services
        }
        while probes:
            self._wait(partial(self._any_ended, probes))
            for name, probe in [*probes.items()]:
                child = self._watched[name].child
                if not child.running:
                    raise _start_error(child, f"{child.describe_end()} as it started")
                if probe.exit_code == 0:
                    self._watched[name].ready = True
                    self._observer.finished(name)
                    del probes[name]
                elif not probe.running:
                    raise _start_error(child, "does not answer")

    def watch(self) -> None:
        """Keep the services running until asked to stop, which raises `StopRequested`."""
        self._wait(lambda: False)

    def stop(self) -> None:
        """Stop everything, in order. Asked to stop once more, kill what is left."""
        self._stopping = True
        for watched in self._watched.values():
            watched.starts_at = float("inf")
        for child in self._children.values():
            if child.name not in self._watched:
                child.kill()
        in_order = sorted(self._watched.values(), key=lambda each: each.service.stop_order)
        for _, together in groupby(in_order, key=lambda each: each.service.stop_order):
            self._stop_together([*together])
        self._wait_patiently(lambda: not self._children)

    def _any_ended(self, probes: dict[str, Child]) -> bool:
        return any(
            not (probe.running and self._watched[name].child.running)
            for name, probe in probes.items()
        )

    def _stop_together(self, group: Sequence[Watched]) -> None:
        for watched in group:
            watched.child.send(signal.SIGTERM)
        patience_s = max(watched.service.stop_within_s for watched in group)
        self._wait_patiently(
            lambda: self._hurried or not any(each.child.running for each in group),
            within_s=patience_s,
        )
        for watched in group:
            watched.child.kill()
        self._wait_patiently(lambda: not any(each.child.running for each in group))
        for watched in group:
            self._observer.stopped(watched.service.name)

    def _wait_patiently(self, until: Callable[[], bool], *, within_s: float = float("inf")) -> None:
        """As `_wait`; a request to stop is only noted."""
        deadline = time.monotonic() + within_s
        while not until() and time.monotonic() < deadline:
            try:
                self._wait(until, within_s=deadline - time.monotonic())
            except StopRequested:
                self._hurried = True

    def _wait(self, until: Callable[[], bool], *, within_s: float = float("inf")) -> None:
        """Look after the children until `until()` holds, or the time is over."""
        deadline = time.monotonic() + within_s
        while not until() and (left_s := deadline - time.monotonic()) > 0:
            pause_s = min(left_s, self._observer.breathe(), self._next_start_in_s())
            received = signal.sigtimedwait(self._awaited, pause_s)
            if received and received.si_signo in STOP_SIGNALS:
                raise StopRequested
            self._reap()
            self._start_due()
            self._trim_logs()

    def _reap(self) -> None:
        while (pid := _dead_child()) is not None:
            # Before it is reaped, while its number is its own: what it leaves behind must not go
            # on working beside its successor.
            kill_group(pid)
            _, status = os.waitpid(pid, 0)
            child = self._children.pop(pid, None)
            if child is not None:  # as the first process of a container we also get orphans
                child.exit_code = os.waitstatus_to_exitcode(status)
                self._plan_next_life(child)

    def _plan_next_life(self, child: Child) -> None:
        watched = self._watched.get(child.name)
        if watched is None or not watched.ready or self._stopping:
            return
        now = time.monotonic()
        if now - child.started_at >= GROWN_UP_S:
            watched.early_deaths, pause_s = 0, 0.0
        else:
            pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**watched.early_deaths)
            watched.early_deaths += 1
        watched.starts_at = now + pause_s
        when = f"in {pause_s:g} s" if pause_s else "at once"
        self._observer.notice(f"{child.name} {child.describe_end()}; it starts again {when}.")

    def _next_start_in_s(self) -> float:
        starts_at = min((each.starts_at for each in self._watched.values()), default=float("inf"))
        return max(0, starts_at - time.monotonic())

    def _start_due(self) -> None:
        for watched in self._watched.values():
            if time.monotonic() >= watched.starts_at:
                watched.starts_at = float("inf")
                watched.child = self._spawn(watched.service)

    def _spawn(self, service: Service) -> Child:
        return self._fork(
            service.name,
            partial(become, service.argv, service.environment),
            log=self._log(service.name),
            keep=service.listens_on,
        )

    def _fork(
        self, name: str, body: Callable[[], None], *, log: Log | None, keep: int | None = None
    ) -> Child:
        child = fork(name, body, log=log, closing=self._listening - {keep})
        self._children[child.pid] = child
        return child

    def _log(self, name: str) -> Log:
        return Log(self._logs / f"{name}.log")

    def _trim_logs(self) -> None:
        now = time.monotonic()
        if now >= self._trim_at:
            self._trim_at = now + TRIM_LOGS_EVERY_S
            for child in self._children.values():
                if child.log:
                    child.log.trim()


def _start_error(child: Child, what: str) -> StartError:
    last_words = child.log.tail() if child.log else ""
    return StartError(f"{child.name} {what}.\n{last_words}".rstrip())


def _dead_child() -> int | None:
    """The number of a child that has ended and is not reaped yet."""
    try:
        dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return dead.si_pid if dead else None
