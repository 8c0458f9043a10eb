"""A forked child: what becomes of the copy, and what its parent knows of it."""

import atexit
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from storage_project.logs import configure_logging
from storage_project.supervisor import prctl
from storage_project.supervisor.log import Log


@dataclass(slots=True)
class Child:
    """One life of a process. It leads a process group of its own: what it starts ends with it."""

    name: str
    pid: int
    log: Log | None
    started_at: float = field(default_factory=time.monotonic)
    # As of `os.waitstatus_to_exitcode`, once it has ended: negative is the signal that killed it.
    exit_code: int | None = None

    @property
    def running(self) -> bool:
        return self.exit_code is None

    def describe_end(self) -> str:
        """How it ended, as the rest of a sentence that begins with its name."""
        if self.exit_code is None:
            return "runs"
        if self.exit_code < 0:
            return f"was killed by {signal.Signals(-self.exit_code).name}"
        return f"stopped with exit code {self.exit_code}"

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        if self.running:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the process and everything in its group."""
        if self.running:
            kill_group(self.pid)


def kill_group(leader: int) -> None:
    """Kill what is left of a group. Only while its leader is not reaped: the number is reused."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        # A leader that was forked this moment has not opened its group yet.
        os.kill(leader, signal.SIGKILL)


def fork(name: str, body: Callable[[], None], *, log: Log | None, closing: Iterable[int]) -> Child:
    """Run `body` in a forked child, its output in `log` (None: where ours goes), and return it.

    The child closes the descriptors `closing`, and never returns into its parent's code.
    """
    _flush()
    output = log.open() if log else None
    pid = os.fork()
    if pid == 0:
        exit_code = 1
        try:
            exit_code = _live(name, body, output, closing)
        finally:
            os._exit(exit_code)  # never back into its parent's code, whatever went wrong
    if output is not None:
        os.close(output)
    return Child(name, pid, log)


def _live(name: str, body: Callable[[], None], output: int | None, closing: Iterable[int]) -> int:
    """Be the child, to the end, and return its exit code.

    What its parent had set up for itself is dropped first.
    """
    os.setsid()
    prctl.name_process(name)
    atexit._clear()
    for descriptor in closing:
        os.close(descriptor)
    if output is not None:
        _redirect(output)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        body()
        exit_code = 0
    except SystemExit as error:
        exit_code = _exit_code(error)
    except BaseException:  # noqa: BLE001 - the outermost frame of this process
        exit_code = 1
        traceback.print_exc()
    # As the interpreter does when a program ends; Flower saves its state here.
    atexit._run_exitfuncs()
    _flush()
    return exit_code


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # the terminal may be gone
            stream.flush()


def _redirect(output: int) -> None:
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    configure_logging()  # again: no colours in a file


def _exit_code(error: SystemExit) -> int:
    """As the interpreter does: nothing is 0, a sentence goes to standard error and is 1."""
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    sys.stderr.write(f"{error.code}\n")
    return 1
