"""Kills processes at random, as the kernel does when memory is short."""

import os
import signal
from contextlib import suppress
from random import Random

from tests.crash.processes.cluster import Cluster
from tests.stack import Process

WEIGHTS = {"worker": 6, "broker": 2, "dispatcher": 2, "web": 1}


class Monkey:
    """`strike()` kills something and starts it again at once."""

    def __init__(self, cluster: Cluster, random: Random) -> None:
        self._cluster = cluster
        self._random = random
        self._workers_struck = 0

    def strike(self) -> str:
        """Return what was killed."""
        [kind] = self._random.choices([*WEIGHTS], [*WEIGHTS.values()])
        if kind == "worker":
            return self._strike_worker(self._random.choice(self._cluster.workers))
        name = self._random.choice(self._cluster.dispatchers) if kind == "dispatcher" else kind
        return self._restart(name)

    def _strike_worker(self, name: str) -> str:
        """In turn: all of it, its main process, one of its pool's children."""
        self._workers_struck += 1
        match self._workers_struck % 3:
            case 0:
                return self._restart(name)
            case 1:
                return self._restart(name, children=False)
            case _:
                self._kill_child(self._cluster.processes[name])
                return f"a child of {name}"

    def _restart(self, name: str, *, children: bool = True) -> str:
        process = self._cluster.processes[name]
        process.kill(children=children)
        process.start()
        return name if children else f"the main process of {name}"

    def _kill_child(self, worker: Process) -> None:
        """Its main process replaces it. There may be none yet: the worker has just started."""
        if children := sorted(set(worker.pids()) - {worker.pid}):
            with suppress(ProcessLookupError):
                os.kill(self._random.choice(children), signal.SIGKILL)
