"""Turns a connection_info into what QEMU opens: a block node, and the secret that it may need."""

import os
import socket
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from drivers.errors import DriverError, Reason
from drivers.hypervisor.checks import is_read_only, protocol_of, unknown_protocol
from drivers.volume.base import JSON

# How long a guest's reads and writes wait for an export that was restarted, before they fail.
RECONNECT_S = 30
CONNECT_TIMEOUT_S = 2.0

Data: TypeAlias = Mapping[str, JSON]
Node: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class BlockNode:
    """The arguments of `blockdev-add`, and the password that goes with them, separately."""

    node: Node
    password: str | None


def block_node(
    connection_info: Mapping[str, JSON], *, name: str, secret_id: str, read_only: bool
) -> BlockNode:
    """Return the node of this name; its password, if any, is to be the secret `secret_id`.

    Raises `unsupported` for a protocol that is not known, `invalid` when something is missing.
    """
    protocol, data = protocol_of(connection_info)
    if protocol not in PROTOCOLS:
        raise unknown_protocol(protocol)
    try:
        source = PROTOCOLS[protocol](data)
    except KeyError as error:
        raise DriverError(
            "The connection information is incomplete.",
            code=Reason.invalid,
            detail=f"{protocol} without {error}",
        ) from error
    password = data.get("auth_password") if protocol == "iscsi" else None
    if password:
        source["password-secret"] = secret_id
    node = {
        "driver": "raw",
        "node-name": name,
        "discard": "unmap",
        "read-only": read_only or is_read_only(data),
        "file": source,
    }
    return BlockNode(node, str(password) if password else None)


def _path(data: Data) -> Node:
    path = Path(str(data["device_path"]))
    driver = "host_device" if is_block_device(path) else "file"
    node: Node = {"driver": driver, "filename": str(path), "aio": "threads"}
    if takes_direct_io(path):
        node["cache"] = {"direct": True}
    return node


def _nbd(data: Data) -> Node:
    return {
        "driver": "nbd",
        "server": {"type": "unix", "path": str(data["socket"])},
        "export": str(data["export"]),
        "reconnect-delay": RECONNECT_S,
    }


def _iscsi(data: Data) -> Node:
    node: Node = {
        "driver": "iscsi",
        "transport": "tcp",
        "portal": str(data["target_portal"]),
        "target": str(data["target_iqn"]),
        "lun": int(str(data["target_lun"])),
    }
    if initiator := data.get("initiator_name"):
        node["initiator-name"] = str(initiator)
    if user := data.get("auth_username"):
        node["user"] = str(user)
    return node


PROTOCOLS: dict[str, Callable[[Data], Node]] = {
    "gpfs": _path,
    "iscsi": _iscsi,
    "local": _path,
    "nbd": _nbd,
}


def is_block_device(path: Path) -> bool:
    """Whether a path is a block device; a file that is not there is none."""
    try:
        return stat.S_ISBLK(path.stat().st_mode)
    except OSError:
        return False


def is_listening(path: str) -> bool:
    """Whether somebody serves on a unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECT_TIMEOUT_S)
        try:
            probe.connect(path)
        except OSError:
            return False
        return True


def takes_direct_io(path: Path) -> bool:
    """Whether the file can be used past the memory of the host (tmpfs, for one, often cannot)."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECT))
    except OSError:
        return False
    return True
