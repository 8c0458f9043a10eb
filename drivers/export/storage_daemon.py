"""What a `qemu-storage-daemon` is told over QMP: for each NBD export, a node of its block layer."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from drivers.errors import DriverError, Reason
from drivers.qmp import Qmp, QmpError

RETRY_S = 0.005
PREFIX = "attachment-"  # an id of QEMU begins with a letter


@contextmanager
def translated_qmp_errors() -> Iterator[None]:
    """Let what goes wrong with a daemon leave as the `DriverError` it means."""
    try:
        yield
    except QmpError as error:
        raise DriverError(
            "The storage daemon refused to change the export.",
            code=Reason.failed,
            detail=str(error),
        ) from error
    except OSError as error:
        raise DriverError(
            "The storage daemon does not answer.",
            code=Reason.unavailable,
            retryable=True,
            detail=str(error),
        ) from error


@translated_qmp_errors()
def list_exports(qmp: Qmp) -> list[str]:
    """The ids of all exports, also of those that still lose their clients."""
    return [each["id"].removeprefix(PREFIX) for each in qmp.execute("query-block-exports")]


@translated_qmp_errors()
def add_export(qmp: Qmp, export_id: str, path: Path, *, read_only: bool) -> None:
    """Offer a file under the export's id; an export that is there is left as it is."""
    if (state := _export_state(qmp, export_id)) is not None:
        if not state["shutting-down"]:
            return
        remove_export(qmp, export_id)
    node = {
        "driver": "file",
        "node-name": _node_name(export_id),
        "filename": str(path),
        "read-only": read_only,
        "discard": "unmap",
        # `locking` stays as it is, on wherever the file system can. An export lets others write
        # and keeps them from resizing, so two exports of a volume go together, on one host or on
        # two, while a server that opens the file itself, and wants it for itself, is refused.
    }
    try:
        qmp.execute("blockdev-add", node)
    except QmpError:
        if not _delete_node(qmp, export_id):
            raise
        qmp.execute("blockdev-add", node)  # a call that was killed had left one behind
    qmp.execute(
        "block-export-add",
        {
            "type": "nbd",
            "id": PREFIX + export_id,
            "node-name": _node_name(export_id),
            "name": export_id,
            "writable": not read_only,
        },
    )


@translated_qmp_errors()
def remove_export(qmp: Qmp, export_id: str) -> None:
    """Take an export away from whoever uses it, and close its file. Raises `TimeoutError`."""
    deadline = time.monotonic() + qmp.timeout_s
    while (state := _export_state(qmp, export_id)) is not None:
        if not state["shutting-down"]:
            qmp.execute("block-export-del", {"id": PREFIX + export_id, "mode": "hard"})
        _wait_a_little(deadline)
    while not _delete_node(qmp, export_id) and _node_size(qmp, export_id) is not None:
        _wait_a_little(deadline)


@translated_qmp_errors()
def size_bytes(qmp: Qmp, export_id: str) -> int | None:
    """How large clients find the volume; None when it is not exported."""
    return None if _export_state(qmp, export_id) is None else _node_size(qmp, export_id)


def _export_state(qmp: Qmp, export_id: str) -> dict[str, object] | None:
    for each in qmp.execute("query-block-exports"):
        if each["id"] == PREFIX + export_id:
            return dict(each)
    return None


def _node_name(export_id: str) -> str:
    """Unique for sure: 30 of 32 digits. A name has at most 31 characters."""
    return f"n{UUID(export_id).hex[:30]}"


def _node_size(qmp: Qmp, export_id: str) -> int | None:
    for each in qmp.execute("query-named-block-nodes", {"flat": True}):
        if each["node-name"] == _node_name(export_id):
            return int(each["image"]["virtual-size"])
    return None


def _delete_node(qmp: Qmp, export_id: str) -> bool:
    """Close the file of an export; False when it is in use, or was not open."""
    try:
        qmp.execute("blockdev-del", {"node-name": _node_name(export_id)})
    except QmpError:
        return False
    return True


def _wait_a_little(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError("the export does not go away")
    time.sleep(RETRY_S)
