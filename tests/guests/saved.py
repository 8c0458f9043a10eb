"""A guest boots in some seconds; one that was saved after it booted is there in one.

saved = SavedGuest(folder)
with saved.restored(sockets / "web.qmp", name="web", server_id=str(uuid4())) as guest:
    guest.agent.disks()
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from drivers.qmp import Qmp
from storage_project.tour.guest.guest import Guest, booted, command, started
from storage_project.tour.guest.images import GuestUnavailableError, Images, prepare_images

TIMEOUT_S = 60
POLL_S = 0.01


def require_images() -> Images:
    """What guests boot; the test skips where they cannot."""
    try:
        return prepare_images()
    except GuestUnavailableError as error:
        pytest.skip(str(error))


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a path so short that sockets fit in."""
    folder = Path(tempfile.mkdtemp(prefix="khoi-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


class SavedGuest:
    """A guest of one kind of machine, saved when it had just booted."""

    def __init__(self, folder: Path, *, machine: str = "pc") -> None:
        self.machine = machine
        self._images = require_images()
        self._state = folder / f"{machine}.state"
        with (
            short_folder() as sockets,
            booted(
                self._images,
                sockets / "saved.qmp",
                sockets,
                name="saved",
                server_id=str(uuid4()),
                machine=machine,
            ) as guest,
        ):
            guest.hold()
            with Qmp(guest.control) as qmp:
                qmp.execute("migrate", {"uri": f"exec:cat > {self._state}"})
                _wait_for(qmp, "query-migrate", "completed")

    @contextmanager
    def restored(self, monitor: Path, *, name: str, server_id: str) -> Iterator[Guest]:
        """A guest of its own that goes on where the saved one was."""
        with short_folder() as folder:
            line = command(
                self._images,
                monitor,
                folder,
                name=name,
                server_id=server_id,
                machine=self.machine,
                extra=["-incoming", f"exec:cat {self._state}"],
            )
            with started(line, monitor, folder) as guest:
                with Qmp(guest.control) as qmp:
                    _wait_for(qmp, "query-status", "paused")
                guest.release()
                yield guest


def _wait_for(qmp: Qmp, query: str, status: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while (found := qmp.execute(query).get("status")) != status:
        if found == "failed" or time.monotonic() > deadline:
            raise TimeoutError(f"{query} says {found}, not {status}")
        time.sleep(POLL_S)
