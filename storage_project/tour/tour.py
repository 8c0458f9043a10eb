"""What a chapter works with: two users of the API, the disks, and a place to show steps."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from rich.console import Console
from rich.live import Live
from rich.text import Text

from storage_project.operations.states import STEPS
from storage_project.supervisor.stack import Stack
from storage_project.tour import small_disk
from storage_project.tour.client import Client, Refused
from storage_project.tour.disks import Disk, find_disks
from storage_project.tour.machine import NBD_DISK, Machine
from storage_project.tour.step import Indented, Step
from storage_project.tour.timeline import DONE, ended_steps
from storage_project.tour.trouble import TourOver, Trouble
from volumes.states import TRANSITIONAL

FRAMES_PER_S = 20
PAUSE_S = 0.02
PATIENCE_S = 60
TOO_FEW_DISKS = (
    'The tour needs two backends with driver = "file", and {} has fewer. It could have a home of '
    "its own: STORAGE_HOME=$(mktemp -d) make demo"
)
# By this a later tour knows the volumes of one that was interrupted.
MARK = {"made_by": "make demo"}


@dataclass
class Volume:
    """A volume that the tour has made."""

    id: str
    type_name: str
    size_gib: int


class Tour:
    """`demo` is the tenant whose volumes these are; `admin` only sets the stage."""

    def __init__(self, stack: Stack, console: Console, machine: Machine) -> None:
        accounts = {account.name: account for account in stack.accounts}
        self.demo = Client(stack.api.url, accounts["demo"])
        self.compute = self.demo.at("/compute/v2.1")
        self.admin = Client(stack.api.url, accounts["admin"])
        disks = find_disks()
        self.small_disk = disks.pop(small_disk.NAME)
        self.nbd_disk = disks.pop(NBD_DISK, None)
        if len(disks) < 2:
            raise Trouble(TOO_FEW_DISKS.format(settings.STORAGE_CONFIG))
        self.disks = [*disks.values()][:2]
        self.volumes: list[Volume] = []
        self.steps: list[Step] = []
        self.console = console
        self.machine = machine
        self._chapters = 0

    @property
    def all_disks(self) -> list[Disk]:
        """Where a file of a volume could be."""
        return [*self.disks, *self.own_disks]

    @property
    def own_disks(self) -> list[Disk]:
        """Those that the tour has brought."""
        return [self.small_disk, *([self.nbd_disk] if self.nbd_disk else [])]

    # Showing

    def begin(self, title: str, prose: str) -> None:
        """Open a chapter."""
        self._chapters += 1
        self.console.print(f"\n[bold]{self._chapters}  {title}[/bold]", highlight=False)
        self.console.print(Indented(Text(prose, "dim"), 3))

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a step while the block runs; trouble in it is shown, and raises `TourOver`."""
        step = Step(title)
        self.steps.append(step)
        moves = self.console.is_terminal and not self.console.is_dumb_terminal
        display = Live(step, console=self.console, refresh_per_second=FRAMES_PER_S)
        with display if moves else nullcontext():
            try:
                yield step
                step.end()
            except Trouble as trouble:
                step.end(str(trouble))
                raise TourOver from trouble
            finally:
                if not moves:
                    self.console.print(step)

    # Doing

    def create_volume(self, *, type_name: str, size_gib: int, **source: str) -> Volume:
        """Ask for a volume, blank or of a `source` as the API calls it; what becomes of it is to be
        followed."""
        body = {"name": "tour", "size": size_gib, "volume_type": type_name, "metadata": MARK}
        answer = self.demo.post("/volumes", {"volume": body | source})
        volume = Volume(answer["volume"]["id"], type_name, size_gib)
        self.volumes.append(volume)
        return volume

    def follow(
        self, step: Step, resource_id: str, *, kind: str = "", user: Client | None = None
    ) -> dict[str, Any]:
        """As `watch`, and `Trouble` unless the operation succeeds."""
        operation = self.watch(step, resource_id, kind=kind, user=user)
        if operation["status"] != "succeeded":
            raise Trouble(f"The operation {operation['status']}. {operation['error']}")
        done = [entry["step"] for entry in ended_steps(operation) if entry["outcome"] == DONE]
        if done != [*STEPS]:
            raise Trouble(f"The operation succeeded with the steps {', '.join(done)}.")
        return operation

    def watch(
        self, step: Step, resource_id: str, *, kind: str = "", user: Client | None = None
    ) -> dict[str, Any]:
        """Show the newest operation (of that kind) of something until it ends, well or not, and
        return it. It is of the tenant, unless of another `user`."""
        user = user or self.demo
        query = {"resource_id": resource_id, "limit": 1} | ({"kind": kind} if kind else {})
        (newest,) = user.get("/operations", **query)["operations"]
        operation: dict[str, Any] = {}

        def ended() -> bool:
            operation.update(user.get(f"/operations/{newest['id']}")["operation"])
            step.watch(operation)
            return operation["finished_at"] is not None

        wait_until(ended, f"the end of operation {newest['id']}")
        return operation

    def discard(self, volume: Volume) -> None:
        """Detach a volume, delete it with its snapshots, and return once it is gone. What is
        underway is waited for."""
        wait_until(
            lambda: self.status_of(volume) not in TRANSITIONAL,
            f"what is underway with volume {volume.id}",
        )
        self.detach(volume)
        if self.status_of(volume) is not None:
            self.demo.delete(f"/volumes/{volume.id}", cascade=True)
            wait_until(lambda: self.status_of(volume) is None, f"the end of volume {volume.id}")
        if volume in self.volumes:
            self.volumes.remove(volume)

    def backups(self) -> list[dict[str, Any]]:
        """The backups that a tour has made."""
        query = {"metadata": orjson.dumps(MARK).decode()}
        found: list[dict[str, Any]] = self.demo.get("/backups/detail", **query)["backups"]
        return found

    def discard_backup(self, backup: dict[str, Any]) -> None:
        """Delete a backup, whatever happens to it just now, and return once it is gone."""
        self.admin.post(f"/backups/{backup['id']}/action", {"os-force_delete": {}})
        wait_until(
            lambda: backup["id"] not in [each["id"] for each in self.backups()],
            f"the end of backup {backup['id']}",
        )

    def detach(self, volume: Volume) -> None:
        """Detach a volume from everything, and return once it is."""
        for attachment in self.attachments_of(volume):
            if attachment["instance"] and attachment["status"] == "detaching":
                continue
            try:
                self.compute.delete(
                    f"/servers/{attachment['instance']}/os-volume_attachments/{volume.id}"
                )
            except Refused as refused:
                if refused.status != 404:
                    raise
                # Not a server's, or of one that is no more: nobody uses it.
                self.admin.delete(f"/attachments/{attachment['id']}")
        wait_until(lambda: not self.attachments_of(volume), f"volume {volume.id} to be detached")

    def attachments_of(self, volume: Volume) -> list[dict[str, Any]]:
        """How a volume is attached just now."""
        found: list[dict[str, Any]] = self.demo.get("/attachments", volume_id=volume.id)[
            "attachments"
        ]
        return found

    def status_of(self, volume: Volume) -> str | None:
        """The status of a volume; None when there is no such volume any more."""
        try:
            status: str = self.demo.get(f"/volumes/{volume.id}")["volume"]["status"]
        except Refused as refused:
            if refused.status == 404:
                return None
            raise
        return status


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Return once `holds()`; after a minute, raise `Trouble` that says what never came."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise Trouble(f"Waited {PATIENCE_S} s in vain for {what}.")
        time.sleep(PAUSE_S)
