"""Programs that serve exports, each in a folder of its own, as children of this process.

They die with the thread that started them, whatever kills it: the exports of a machine are down
while nobody supervises them, and no daemon is left over from before.
"""

import fcntl
import logging
import os
import resource
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

LOG = "log"
LOCK = "lock"

logger = logging.getLogger(__name__)


class Daemons:
    """The programs that this object started."""

    def __init__(self) -> None:
        self._running: dict[Path, subprocess.Popen[bytes]] = {}

    def keep(
        self,
        folder: Path,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        before: Callable[[], None] = lambda: None,
    ) -> bool:
        """Start the program of a folder, where it then is, unless it runs; True if it did.

        Whatever `before` raises keeps it from being started.
        """
        if self.runs(folder):
            return False
        with ExitStack() as stack:
            lock = stack.enter_context(_lock_to_inherit(folder))
            if lock is None:
                return False  # one that another supervisor started has not died yet
            before()
            log = stack.enter_context((folder / LOG).open("wb"))
            self._running[folder] = daemon = subprocess.Popen(  # noqa: S603 - our own words
                ["setpriv", "--pdeathsig", "KILL", *command],  # noqa: S607 - as found in PATH
                cwd=folder,
                env={**os.environ, **(environment or {})},
                umask=0o177,
                pass_fds=[lock],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for us: we stop it when nobody needs it
            )
        # It opens a file for every export and every client.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (most, most))
        return True

    def runs(self, folder: Path) -> bool:
        """Whether the program of a folder is alive; one that is not is forgotten."""
        daemon = self._running.get(folder)
        if daemon is None:
            return False
        if daemon.poll() is None:
            return True
        del self._running[folder]
        logger.warning("%s ended with %s: %s", folder, daemon.returncode, _last_words(folder))
        return False

    def stop(self, folder: Path) -> None:
        """End the program of a folder; one that does not run has ended."""
        if (daemon := self._running.pop(folder, None)) is not None:
            # Nothing is lost: what it was given to write is with the kernel. And tgtd would not
            # listen to less while it has targets.
            daemon.kill()
            daemon.wait()

    def stop_all(self) -> None:
        for folder in list(self._running):
            self.stop(folder)


@contextmanager
def _lock_to_inherit(folder: Path) -> Iterator[int | None]:
    """A descriptor whose lock is held until the last process that has it is gone; None if taken."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor if _takes_lock(descriptor) else None
    finally:
        os.close(descriptor)


def _takes_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _last_words(folder: Path) -> str:
    try:
        return (folder / LOG).read_text(errors="replace")[-500:].strip()
    except FileNotFoundError:
        return ""
