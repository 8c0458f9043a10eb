"""Disks as libvirt writes them: what is plugged in, and what is to be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from xml.etree import ElementTree

from drivers.errors import DriverError, Reason
from drivers.hypervisor.block_node import RECONNECT_S, is_block_device, takes_direct_io
from drivers.hypervisor.checks import is_read_only, protocol_of, unknown_protocol
from drivers.volume.base import JSON

# Names the device, for libvirt and for QEMU; only what begins with "ua-" is kept as it is.
ALIAS = "ua-khoi-"
ISCSI_PORT = "3260"

Element: TypeAlias = ElementTree.Element
Data: TypeAlias = Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class PluggedDisk:
    """A disk of a running domain, ours or not."""

    serial: str  # empty when it is not ours
    target: str  # "vdb"
    source: str  # what libvirt opens: a file, a device, the name of an export
    path: str  # of the file that is the volume; empty when it is none
    nbd_socket: str  # of its export; empty when it has none


def plugged_disks(domain_xml: str) -> list[PluggedDisk]:
    """The disks of a domain, as its live XML tells."""
    disks = []
    for disk in ElementTree.fromstring(domain_xml).iterfind("./devices/disk"):  # noqa: S314 - libvirt's
        alias = _attribute(disk, "alias", "name")
        path = _attribute(disk, "source", "file")
        others = (_attribute(disk, "source", name) for name in ("dev", "name"))
        disks.append(
            PluggedDisk(
                serial=alias.removeprefix(ALIAS) if alias.startswith(ALIAS) else "",
                target=_attribute(disk, "target", "dev"),
                source=path or "".join(others),
                path=path,
                nbd_socket=_attribute(disk, "source[@protocol='nbd']/host", "socket"),
            )
        )
    return disks


def _attribute(parent: Element, path: str, name: str) -> str:
    child = parent.find(path)
    return "" if child is None else child.get(name, "")


def disk_xml(
    connection_info: Mapping[str, JSON],
    *,
    serial: str,
    target: str,
    secret_usage: str,
    read_only: bool,
) -> str:
    """Return the `<disk>` for a volume; its password, if any, is the secret of that usage.

    Raises `unsupported` for a protocol that is not known, `invalid` when something is missing.
    """
    protocol, data = protocol_of(connection_info)
    if protocol not in SOURCES:
        raise unknown_protocol(protocol)
    disk = ElementTree.Element("disk", device="disk")
    driver = _add(disk, "driver", name="qemu", type="raw", discard="unmap")
    try:
        SOURCES[protocol](disk, driver, data, secret_usage)
    except KeyError as error:
        raise DriverError(
            "The connection information is incomplete.",
            code=Reason.invalid,
            detail=f"{protocol} without {error}",
        ) from error
    _add(disk, "target", dev=target, bus="virtio")
    _add(disk, "serial").text = serial
    _add(disk, "alias", name=ALIAS + serial)
    if read_only or is_read_only(data):
        _add(disk, "readonly")
    return ElementTree.tostring(disk, encoding="unicode")


def iscsi_password(connection_info: Mapping[str, JSON]) -> str | None:
    """The password that a connection_info carries."""
    protocol, data = protocol_of(connection_info)
    password = data.get("auth_password") if protocol == "iscsi" else None
    return str(password) if password else None


def secret_xml(usage: str) -> str:
    """A secret that is never shown and not kept on disk."""
    secret = ElementTree.Element("secret", ephemeral="yes", private="yes")
    _add(_add(secret, "usage", type="iscsi"), "target").text = usage
    return ElementTree.tostring(secret, encoding="unicode")


def _path(disk: Element, driver: Element, data: Data, secret_usage: str) -> None:
    path = Path(str(data["device_path"]))
    kind = "block" if is_block_device(path) else "file"
    disk.set("type", kind)
    _add(disk, "source", **{"dev" if kind == "block" else "file": str(path)})
    if takes_direct_io(path):
        driver.set("cache", "none")


def _nbd(disk: Element, driver: Element, data: Data, secret_usage: str) -> None:
    disk.set("type", "network")
    source = _add(disk, "source", protocol="nbd", name=str(data["export"]))
    _add(source, "host", transport="unix", socket=str(data["socket"]))
    _add(source, "reconnect", delay=str(RECONNECT_S))
    # Before 9.1 libvirt ignores that: the guest's reads and writes fail as soon as the export is
    # away. It is stopped then, which it does not notice, and does them again when it goes on.
    driver.set("error_policy", "stop")
    driver.set("rerror_policy", "stop")


def _iscsi(disk: Element, driver: Element, data: Data, secret_usage: str) -> None:
    disk.set("type", "network")
    host, _, port = str(data["target_portal"]).rpartition(":")
    name = f"{data['target_iqn']}/{data['target_lun']}"
    source = _add(disk, "source", protocol="iscsi", name=name)
    _add(source, "host", name=host.strip("[]"), port=port or ISCSI_PORT)
    if initiator := data.get("initiator_name"):
        _add(_add(source, "initiator"), "iqn", name=str(initiator))
    if data.get("auth_password"):
        auth = _add(source, "auth", username=str(data["auth_username"]))
        _add(auth, "secret", type="iscsi", usage=secret_usage)


SOURCES: dict[str, Callable[[Element, Element, Data, str], None]] = {
    "gpfs": _path,
    "iscsi": _iscsi,
    "local": _path,
    "nbd": _nbd,
}


def _add(parent: Element, tag: str, **attributes: str) -> Element:
    return ElementTree.SubElement(parent, tag, attributes)
