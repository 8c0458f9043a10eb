"""What happens when a volume is attached to a server.

    attaching --(connected, and plugged into the server)--> attached, and the volume in-use
              --(the hypervisor could not)--> the attachment goes, and the volume is what it was

A request to attach is two operations, one after the other, since they are two machines' work: first
`attachment.connect` makes an export for the server's host (see `connect.py`), where the volume is;
then this one plugs it in, where the server is. The hypervisor knows the disk by its serial, so it
may be asked any number of times.
"""

from uuid import UUID

from django.utils import timezone

from drivers.errors import DriverError, Reason
from drivers.hypervisor.base import serial_of
from storage_project.operations.flow import advance, advance_if_possible
from storage_project.operations.messages import Code, StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run
from volumes.attachment_state import changing_attachments
from volumes.hypervisors import compute_queue, open_hypervisor
from volumes.models import Attachment, Server
from volumes.pipelines.disconnect import go_on_to_disconnect

pipeline = Pipeline("server.attach", model=Attachment)

# How long a guest that has just been given a disk is waited for, to take it out again.
RELEASE_S = 20.0


@pipeline.validate
def validate(run: Run) -> None:
    attachment: Attachment = run.load()
    run.require(attachment.status, "attaching")
    if attachment.connection_info is None:
        raise StepError(Code.CHANGED_MEANWHILE, "It is not connected any more.")


@pipeline.schedule
def schedule(run: Run) -> None:
    go_to_server(run)


@pipeline.provision
def provision(run: Run) -> None:
    attachment: Attachment = run.load()
    disk = open_hypervisor(run.notes["hypervisor"]).attach(
        str(attachment.server_id),
        str(attachment.volume_id),
        attachment.connection_info,
        read_only=attachment.attach_mode == "ro",
    )
    run.notes["device"] = disk.device


@pipeline.report
def report(run: Run) -> None:
    volume_id: UUID = run.load().volume_id
    with run.commit(), changing_attachments(volume_id, operation=run.operation):
        attachment: Attachment = run.load()
        advance(
            attachment,
            "complete",
            operation=run.operation,
            attached_at=timezone.now(),
            mountpoint=run.notes["device"],
        )


@pipeline.undo
def undo(run: Run) -> None:
    attachment: Attachment = run.load()
    hypervisor = open_hypervisor(run.notes["hypervisor"])
    serial = serial_of(str(attachment.volume_id))
    if not hypervisor.detach(str(attachment.server_id), serial, wait_s=RELEASE_S):
        raise DriverError(
            "The server does not release the volume.", code=Reason.busy, retryable=True
        )


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    attachment: Attachment = run.resource
    with changing_attachments(attachment.volume_id, operation=run.operation):
        if not run.left_behind:
            go_on_to_disconnect(run, attachment)
        # The server may have it, so the export stays until somebody detaches it.
        elif advance_if_possible(attachment, "delete", operation=run.operation):
            advance(attachment, "fail_delete", operation=run.operation, note=error.sentence)


def go_to_server(run: Run) -> None:
    """Have provision run where the server of the attachment is, by its hypervisor's last report."""
    server = Server.objects.filter(pk=run.resource.server_id).first()
    if server is None:
        raise StepError(Code.CHANGED_MEANWHILE, "The server does not exist any more.")
    run.notes["hypervisor"] = server.hypervisor
    run.provision_queue = compute_queue(server.host)
