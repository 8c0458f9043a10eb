"""A volume is a disk of a guest that runs; without a guest, the tour connects to it itself."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from drivers.hypervisor.base import serial_of
from drivers.qmp import Qmp, QmpError
from drivers.units import GIB, MIB
from storage_project.config import configuration
from storage_project.tour.claims import begins_with, has_status, lies_on
from storage_project.tour.disks import Disk, show_path
from storage_project.tour.guest.agent import Agent, GuestError
from storage_project.tour.machine import GUEST
from storage_project.tour.stage import disk_in_use
from storage_project.tour.step import Step
from storage_project.tour.tour import Tour, Volume, wait_until
from storage_project.tour.trouble import Trouble

TEXT = "written to a volume that is attached"
WRITTEN_MIB = 4


def show_attach(tour: Tour) -> None:
    if tour.machine.why_missing:
        _show_without_guest(tour)
        return
    tour.begin(
        "Attach",
        f"{GUEST} is a virtual machine: Debian's kernel and busybox, in QEMU without help of the "
        "processor. The Compute API attaches: a first operation exports the volume to the host of "
        "the guest, a second one plugs it into the guest.",
    )
    with _guest_trouble(), Agent(tour.machine.console) as guest:
        _boot(tour, guest)
        if tour.nbd_disk is None:
            _use(tour, guest, tour.disks[0], tour.volumes[0])
            return
        disk = tour.nbd_disk
        with disk_in_use(tour, disk, disk.name, disk.name):
            with tour.step(f"Create a volume of 1 GiB, on {disk.name}") as step:
                volume = tour.create_volume(type_name=disk.name, size_gib=1)
                tour.follow(step, volume.id)
                lies_on(step, disk, volume)
            _use(tour, guest, disk, volume)


def _boot(tour: Tour, guest: Agent) -> None:
    with _step(tour, f"Boot {GUEST}") as step:
        with Qmp(tour.machine.control) as qmp:
            qmp.execute("cont")
        guest.wait_until_ready()
        step.check("it answers on its console", guest.run("echo hello"), "hello")
        step.check("it has no disk", guest.disks(), [])
        wait_until(lambda: _is_listed(tour), f"{GUEST} in the list of servers")
        step.check("the Compute API lists it as ACTIVE", _is_listed(tour))


def _is_listed(tour: Tour) -> bool:
    servers = tour.compute.get("/servers/detail", name=GUEST)["servers"]
    return (tour.machine.server_id, "ACTIVE") in [(each["id"], each["status"]) for each in servers]


def _use(tour: Tour, guest: Agent, disk: Disk, volume: Volume) -> None:
    serial = serial_of(volume.id)
    attached = f"/servers/{tour.machine.server_id}/os-volume_attachments"
    with _step(tour, f"Attach the volume of type {volume.type_name} to {GUEST}") as step:
        tour.compute.post(attached, {"volumeAttachment": {"volumeId": volume.id}})
        (attachment,) = tour.attachments_of(volume)
        for kind in ("attachment.connect", "server.attach"):
            tour.follow(step, attachment["id"], kind=kind)
        found = guest.wait_for_disk(serial, size_bytes=volume.size_gib * GIB)
        step.check(
            f"the guest has found /dev/{found.name}, {volume.size_gib} GiB, by the serial",
            found.serial,
            serial,
        )
        if disk == tour.nbd_disk:
            info = tour.demo.get(f"/attachments/{attachment['id']}")["attachment"]
            protocol = info["connection_info"]["driver_volume_type"]
            step.check("it reaches the host over NBD", protocol, "nbd")
        has_status(step, tour, volume, "in-use")
    with _step(tour, f"In the guest, write {WRITTEN_MIB} MiB to /dev/{found.name}") as step:
        guest.fill(serial, TEXT, size_mib=WRITTEN_MIB)
        digest = guest.sha256(serial, WRITTEN_MIB * MIB)
        path = disk.path_of(volume.id)
        step.check(
            f"it reads them back, and {show_path(path)} has the same: sha256 {digest[:12]}…",
            digest,
            _sha256(path, WRITTEN_MIB * MIB),
        )
        begins_with(step, disk, volume, TEXT)
    _extend(tour, guest, disk, volume, attachment["id"])
    with _step(tour, f"Detach it from {GUEST}") as step:
        tour.compute.delete(f"{attached}/{volume.id}")
        for kind in ("server.detach", "attachment.delete"):
            tour.follow(step, attachment["id"], kind=kind)
        step.check("the guest has no disk any more", guest.disks(), [])
        begins_with(step, disk, volume, TEXT)
        has_status(step, tour, volume, "available")


def _extend(tour: Tour, guest: Agent, disk: Disk, volume: Volume, attachment_id: str) -> None:
    volume.size_gib += 1
    with _step(tour, f"Extend it to {volume.size_gib} GiB while the guest uses it") as step:
        action = {"os-extend": {"new_size": volume.size_gib}}
        tour.demo.post(f"/volumes/{volume.id}/action", action)
        tour.follow(step, volume.id)
        tour.follow(step, attachment_id, kind="server.extend")
        found = guest.wait_for_disk(serial_of(volume.id), size_bytes=volume.size_gib * GIB)
        step.check(
            f"the guest sees that /dev/{found.name} has {volume.size_gib} GiB",
            found.size_bytes,
            volume.size_gib * GIB,
        )
        lies_on(step, disk, volume)


def _show_without_guest(tour: Tour) -> None:
    why = tour.machine.why_missing
    offered = [pair for pair in zip(tour.disks, tour.volumes, strict=False) if _is_file(pair[0])]
    if not offered:
        tour.begin("Attach", f"{why} And no backend offers its volumes as files. So this is left.")
        return
    tour.begin(
        "Attach",
        f"{why} So there is no guest, and the tour does what a host does for its guests: it "
        "connects to a volume over the attachments API, and writes to what it is told.",
    )
    (disk, volume), *_ = offered
    with tour.step(f"Connect this host to the volume of type {volume.type_name}") as step:
        wanted = {"volume_uuid": volume.id, "connector": {"host": settings.STORAGE_HOST}}
        attachment = tour.demo.post("/attachments", {"attachment": wanted})["attachment"]
        tour.follow(step, attachment["id"])
        path = Path(attachment["connection_info"]["device_path"])
        step.check("connection_info names its file", path, disk.path_of(volume.id))
        tour.demo.post(f"/attachments/{attachment['id']}/action", {"os-complete": {}})
        has_status(step, tour, volume, "in-use")
    with tour.step("Write to that file") as step:
        with path.open("r+b") as file:
            file.write(TEXT.encode())
            os.fsync(file.fileno())
        begins_with(step, disk, volume, TEXT)
    with tour.step("Disconnect") as step:
        tour.demo.delete(f"/attachments/{attachment['id']}")
        tour.follow(step, attachment["id"], kind="attachment.delete")
        begins_with(step, disk, volume, TEXT)
        has_status(step, tour, volume, "available")


def _is_file(disk: Disk) -> bool:
    """Whether its volumes reach hosts as the files that they are."""
    return configuration().backends[disk.name].exports[:1] == ["file"]


@contextmanager
def _step(tour: Tour, title: str) -> Iterator[Step]:
    """A step in which the guest takes part."""
    with tour.step(title) as step, _guest_trouble():
        yield step


@contextmanager
def _guest_trouble() -> Iterator[None]:
    """What goes wrong with the guest ends the tour, as anything else does."""
    try:
        yield
    except (GuestError, QmpError, OSError) as error:
        raise Trouble(f"{GUEST}: {error}") from error


def _sha256(path: Path, length: int) -> str:
    with path.open("rb") as file:
        return hashlib.sha256(file.read(length)).hexdigest()
