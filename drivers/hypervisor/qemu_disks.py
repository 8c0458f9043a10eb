"""What is said to one QEMU to plug a disk in, to grow it, and to unplug it.

A disk is up to three things in QEMU, named by its serial: a secret, a block node that holds the
volume open, and the device that the guest sees. Killed in between, some are there and some are
not; the next call takes it from there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers.errors import DriverError, Reason
from drivers.hypervisor.base import Disk
from drivers.hypervisor.block_node import BlockNode, block_node, is_listening
from drivers.hypervisor.checks import (
    former_disk,
    free_device,
    grows_later,
    in_use_elsewhere,
    leads_to,
    no_slot,
    not_built_in,
    not_grown,
    not_opened,
)
from drivers.qmp import Qmp, QmpError
from drivers.volume.base import JSON

# The device carries the name that we guess for the guest's, as it must stay the same.
DEVICE_ID = re.compile(r"khoi-(?P<serial>.+)-(?P<name>vd[a-z]+)")
QDEV = re.compile(r"/machine/peripheral/(?P<id>[^/]+)/virtio-backend")
NODE = "khoi-"
SECRET = "khoi-secret-"  # noqa: S105 - its name
DEVICES = "/machine/peripheral"


@dataclass(frozen=True, slots=True)
class Device:
    """A virtio disk of the guest, ours or not."""

    device_id: str
    serial: str  # empty when it is not ours
    path: str  # "/dev/vdb"; empty when it is not ours
    size_bytes: int
    filename: str  # of the volume, or the URL of its export


def find_all(qmp: Qmp) -> dict[str, Disk]:
    """Our disks by serial, also those that are only half there: they hold their volume open."""
    disks = {serial: Disk(serial=serial, device="") for serial in _node_serials(qmp)}
    for device in _devices(qmp):
        if device.serial:
            disks[device.serial] = Disk(serial=device.serial, device=device.path)
    return disks


def plug_in(qmp: Qmp, serial: str, connection_info: Mapping[str, JSON], *, read_only: bool) -> Disk:
    """Give the guest a disk, or leave the one that it has."""
    devices = _devices(qmp)
    for device in devices:
        if device.serial == serial:
            if not leads_to(connection_info, device.filename):
                _ask_for(qmp, device.device_id)
                raise former_disk(device.filename)
            return Disk(serial=serial, device=device.path)
    # What a killed call left may be for an export that is no more.
    _forget(qmp, serial)
    wanted = block_node(
        connection_info, name=NODE + serial, secret_id=SECRET + serial, read_only=read_only
    )
    slot = _free_slot(qmp)
    _open(qmp, serial, wanted)
    path = free_device(_taken(devices))
    name = path.removeprefix("/dev/")
    try:
        qmp.execute(
            "device_add",
            {
                "driver": "virtio-blk-pci",
                "id": f"khoi-{serial}-{name}",
                "drive": NODE + serial,
                "serial": serial,
                **slot,
            },
        )
    except QmpError as error:
        _forget(qmp, serial)
        if "PCI: no slot" in error.desc or "already occupied" in error.desc:
            raise no_slot() from error
        if " lock" in error.desc:
            raise in_use_elsewhere(str(error)) from error
        raise DriverError(
            "The server does not take another disk.", code=Reason.failed, detail=str(error)
        ) from error
    return Disk(serial=serial, device=path)


def unplug(qmp: Qmp, serial: str) -> bool:
    """Ask the guest to release a disk; True when it is gone, and all that it held open."""
    for device in _devices(qmp):
        if device.serial == serial:
            _ask_for(qmp, device.device_id)
            return False
    return _forget(qmp, serial)


def grow(qmp: Qmp, serial: str, size_bytes: int) -> bool:
    """Tell the guest that a disk is this large now, never smaller; False when it has none."""
    for device in _devices(qmp):
        if device.serial == serial:
            if device.size_bytes <= size_bytes:  # the guest may not have been told of an equal one
                _resize(qmp, device, size_bytes)
            return True
    return False


# Looking


def _devices(qmp: Qmp) -> list[Device]:
    """The virtio disks that are plugged in, also those that the guest was asked for."""
    devices = []
    for block in qmp.execute("query-block"):
        qdev = QDEV.fullmatch(block.get("qdev", ""))
        if qdev is None:
            continue
        ours = DEVICE_ID.fullmatch(qdev["id"])
        image = block.get("inserted", {}).get("image", {})
        devices.append(
            Device(
                device_id=qdev["id"],
                serial=ours["serial"] if ours else "",
                path=f"/dev/{ours['name']}" if ours else "",
                size_bytes=image.get("virtual-size", 0),
                filename=image.get("filename", ""),
            )
        )
    return devices


def _taken(devices: list[Device]) -> set[str]:
    """What the guest probably calls the disks that it has: those not ours were there first."""
    taken: set[str] = set()
    for _ in (device for device in devices if not device.path):
        taken.add(free_device(taken))
    return taken | {device.path for device in devices if device.path}


def _node_serials(qmp: Qmp) -> list[str]:
    nodes = qmp.execute("query-named-block-nodes", {"flat": True})
    return [
        node["node-name"].removeprefix(NODE)
        for node in nodes
        if node.get("node-name", "").startswith(NODE)
    ]


def _children(qmp: Qmp, path: str) -> list[Any]:
    found: list[Any] = qmp.execute("qom-list", {"path": path})
    return found


def _free_slot(qmp: Qmp) -> dict[str, str]:
    """Where the device goes: an empty root port where the machine has such, else as QEMU likes."""
    machine = qmp.execute("qom-get", {"path": "/machine", "property": "type"})
    if machine.startswith("pc-i440fx"):
        return {}
    for port in _children(qmp, DEVICES):
        if port["type"] == "child<pcie-root-port>":
            bus = port["name"]
            inside = _children(qmp, f"{DEVICES}/{bus}/{bus}")
            if not any(each["name"].startswith("child[") for each in inside):
                return {"bus": bus}
    raise no_slot()


# Doing


def _open(qmp: Qmp, serial: str, wanted: BlockNode) -> None:
    """Open the volume. Killed or refused, it leaves at most a secret that nobody uses."""
    try:
        if wanted.password is not None:
            qmp.execute(
                "object-add",
                {"qom-type": "secret", "id": SECRET + serial, "data": wanted.password},
            )
        qmp.execute("blockdev-add", wanted.node)
    except QmpError as error:
        _forget(qmp, serial)
        if "Unknown driver" in error.desc or "does not accept value" in error.desc:
            raise not_built_in(str(error)) from error
        raise not_opened(str(error)) from error


def _ask_for(qmp: Qmp, device_id: str) -> None:
    try:
        qmp.execute("device_del", {"id": device_id})
    except QmpError as error:
        # The guest was asked already, or let it go this moment: the next look tells.
        if error.class_ != "DeviceNotFound" and "in the process of unplug" not in error.desc:
            raise DriverError(
                "The server does not release disks while it runs.",
                code=Reason.unsupported,
                detail=str(error),
            ) from error


def _forget(qmp: Qmp, serial: str) -> bool:
    """Close the volume of a disk without a device; False while QEMU still has work with it.

    QEMU makes durable what was written. When an export is away, it waits for it with the guest
    stopped, as long as the guest's own writes would wait.
    """
    try:
        if serial in _node_serials(qmp):
            qmp.execute("blockdev-del", {"node-name": NODE + serial})
    except QmpError as error:
        if "is in use" in error.desc:
            return False  # the device is gone for the guest, QEMU takes it apart in a moment
        raise
    if any(each["name"] == SECRET + serial for each in _children(qmp, "/objects")):
        qmp.execute("object-del", {"id": SECRET + serial})
    return True


def _resize(qmp: Qmp, device: Device, size_bytes: int) -> None:
    # QEMU would cut a file to a size that is out of date.
    size_bytes = max(size_bytes, _file_size(Path(device.filename)))
    command = {"node-name": NODE + device.serial, "size": size_bytes}
    try:
        qmp.execute("block_resize", command)
    except QmpError as error:
        if "read-only" in error.desc:
            raise grows_later(str(error)) from error
        if "Cannot grow NBD nodes" not in error.desc:
            raise DriverError(
                "The server cannot see that the volume has grown.",
                code=Reason.failed,
                detail=str(error),
            ) from error
        _connect_anew(qmp, device)
        try:
            qmp.execute("block_resize", command)
        except QmpError as again:
            raise not_grown(str(again)) from again


def _file_size(path: Path) -> int:
    """The size of a regular file, 0 of anything else."""
    return path.stat().st_size if path.is_file() else 0


def _connect_anew(qmp: Qmp, device: Device) -> None:
    """Have the client of an NBD export learn its new size: it does when there is something to read.

    QEMU waits for that with the guest stopped, so only when somebody listens.
    """
    _, _, path = device.filename.partition("?socket=")
    if not is_listening(path):
        raise not_grown(f"nobody listens on {path}")
    line = f'qemu-io {NODE}{device.serial} "read 0 512"'
    qmp.execute("human-monitor-command", {"command-line": line})
