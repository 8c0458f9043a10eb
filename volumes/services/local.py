"""Attaching a volume to this very machine, as a block device, for who has no server."""

from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

from django.conf import settings

from drivers import loop_device
from drivers.errors import DriverError, Reason
from storage_project.identity.caller import Caller
from storage_project.operations.models import Operation
from storage_project.operations.states import Status
from storage_project.operations.waiting import wait_for_latest
from volumes.models import Attachment, Volume
from volumes.services.attachments import (
    complete_attachment,
    create_attachment,
    delete_attachment,
)

PATIENCE_S = 60.0


def attach_here(*, volume: Volume, read_only: bool = False) -> Path:
    """Attach a volume to this machine and return its device; one that is attached here stays so.

    `Fault` or `DriverError` with the reason when it cannot be; then nothing is left of it.
    """
    caller = _operator(volume)
    attachment = _here(volume)
    if attachment is None:
        attachment = create_attachment(
            volume=volume,
            caller=caller,
            connector={"host": settings.STORAGE_HOST},
            attach_mode="ro" if read_only else "rw",
        )
        _require_success(attachment, "attachment.connect")
        attachment.refresh_from_db()
    try:
        device = loop_device.attach(_path(attachment), read_only=attachment.attach_mode == "ro")
    except DriverError:
        if attachment.status != "attached":
            delete_attachment(attachment=attachment, caller=caller)
        raise
    if attachment.status != "attached":
        Attachment.objects.filter(pk=attachment.pk).update(mountpoint=str(device))
        complete_attachment(attachment=attachment)
    return device


def detach_here(*, volume: Volume) -> bool:
    """Detach a volume from this machine; False when it is not attached here.

    `DriverError` while its device is in use.
    """
    attachment = _here(volume)
    if attachment is None:
        return False
    if attachment.export:
        loop_device.detach(_path(attachment))
    delete_attachment(attachment=attachment, caller=_operator(volume))
    _require_success(attachment, "attachment.delete")
    return True


def _here(volume: Volume) -> Attachment | None:
    """How a volume is attached to this machine itself, and not to a server that it runs."""
    attachments = volume.attachments.filter(server_id=None).exclude(status="error_attaching")
    for attachment in attachments.defer(None):
        if attachment.host_name == settings.STORAGE_HOST:
            return attachment
    return None


def _path(attachment: Attachment) -> Path:
    info: dict[str, Any] = attachment.connection_info or {}
    path = info.get("data", {}).get("device_path")
    if path is None:
        raise DriverError(
            f"A volume is attached here as the file that it is, and this one is exported over "
            f"{attachment.export}: its backend must offer the export `file` first.",
            code=Reason.unsupported,
        )
    return Path(path)


def _operator(volume: Volume) -> Caller:
    """Who has a shell on this machine, at work in the volume's project."""
    return Caller(
        user_id="",
        user_name="operator",
        project_id=volume.project_id,
        project_name=None,
        roles=frozenset({"admin"}),
        request_id=f"req-{uuid4()}",
    )


def _require_success(attachment: Attachment, kind: str) -> None:
    operation: Operation | None = None
    deadline = monotonic() + PATIENCE_S
    while operation is None and monotonic() < deadline:
        operation = wait_for_latest(kind, attachment.pk)
        if (
            operation is None
            and not Operation.objects.filter(kind=kind, resource_id=attachment.pk).exists()
        ):
            return  # there was nothing to be done
    if operation is None:
        raise DriverError(
            "It takes longer than a minute: is Khoi running? It goes on by itself.",
            code=Reason.unavailable,
        )
    if operation.status != Status.SUCCEEDED:
        raise DriverError(operation.error, code=Reason.failed)
