"""The export of one attachment: which one it is to be, and what its driver is told.

Asked where the volume is: how it is reached is told by its backend's driver.
"""

from typing import Any

from drivers.export.base import Connector, Export
from drivers.volume.base import JSON
from storage_project.operations.messages import Code, StepError
from volumes.backends import open_backend
from volumes.exports import exports_of, open_export
from volumes.models import Attachment
from volumes.pools import placed

# The columns of an attachment whose export is not there, or not any more.
NOT_EXPORTED: dict[str, Any] = {
    "export": "",
    "wanted": False,
    "connection_info": None,
    "secret": None,
}


def choose_export(attachment: Attachment) -> str:
    """The first export of the volume's backend that can take it to the client's host; or
    `StepError` with what each of them says."""
    backend = placed(attachment.volume).backend
    hints, connector = _hints(attachment), _connector(attachment)
    refusals = {}
    for name in exports_of(backend):
        refusal = open_export(name).refusal(hints, connector)
        if refusal is None:
            return name
        refusals[name] = refusal
    told = "; ".join(f"{name} {refusal}" for name, refusal in refusals.items())
    raise StepError(Code.NO_EXPORT, f"{told}." if told else f"{backend} has none.")


def describe_export(attachment: Attachment) -> Export:
    """What the driver of its export is told; its volume's pool is read with it."""
    return Export(
        export_id=str(attachment.pk),
        volume_id=str(attachment.volume_id),
        hints=_hints(attachment),
        connector=_connector(attachment),
        read_only=attachment.attach_mode == "ro",
        secret=attachment.secret or "",
    )


def _hints(attachment: Attachment) -> dict[str, JSON]:
    pool = placed(attachment.volume)
    hints = open_backend(pool.backend).export_hints(str(attachment.volume_id), pool=pool.name)
    return dict(hints)


def _connector(attachment: Attachment) -> Connector:
    assert attachment.connector is not None, "only what has a connector is exported"
    return Connector(**attachment.connector)
