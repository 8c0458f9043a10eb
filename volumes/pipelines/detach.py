"""What happens when a volume is detached from a server.

    detaching --(the guest has released the disk)--> detaching, and `attachment.delete` goes on
              --(the hypervisor could not)--> error_detaching, and it can be detached again
              --(cancelled before the guest was asked)--> what it was

A hypervisor only asks its guest, and the guest may take its time, or never answer: it is asked
again, the volume stays `detaching`, its export in place, and the operation tells what it waits
for. Only when the disk is gone does `attachment.delete` revoke the export (see `disconnect.py`).
A forced detach opens that one at once, and this one gives way.
"""

from uuid import UUID

from drivers.hypervisor.base import serial_of
from storage_project.operations.flow import advance_if_possible
from storage_project.operations.messages import Code, NotYet, StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run
from storage_project.operations.states import UNTOUCHED
from volumes.attachment_state import changing_attachments
from volumes.hypervisors import open_hypervisor
from volumes.models import Attachment
from volumes.pipelines.attach import go_to_server
from volumes.pipelines.disconnect import go_on_to_disconnect, is_being_disconnected

pipeline = Pipeline("server.detach", model=Attachment)

# A guest that is well does it at once; one that is not must not keep a worker from the others.
RELEASE_S = 5.0
ASK_AGAIN_S = 2.0


@pipeline.validate
def validate(run: Run) -> None:
    run.require_status("detaching")


@pipeline.schedule
def schedule(run: Run) -> None:
    go_to_server(run)


@pipeline.provision
def provision(run: Run) -> None:
    attachment: Attachment = run.load()
    hypervisor = open_hypervisor(run.notes["hypervisor"])
    serial = serial_of(str(attachment.volume_id))
    if hypervisor.detach(str(attachment.server_id), serial, wait_s=RELEASE_S):
        return
    if run.cancel_requested:  # by who takes the volume away without the guest's consent
        raise StepError(Code.CANCELLED)
    raise NotYet("waits for the guest to release the disk", wait_s=ASK_AGAIN_S)


@pipeline.report
def report(run: Run) -> None:
    volume_id: UUID = run.load().volume_id
    with run.commit(), changing_attachments(volume_id, operation=run.operation):
        go_on_to_disconnect(run, run.load())


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    attachment: Attachment = run.resource
    told = {"operation": run.operation, "note": error.sentence}
    with changing_attachments(attachment.volume_id, operation=run.operation):
        if is_being_disconnected(attachment):
            return
        if error.code is Code.CANCELLED or run.operation.step in UNTOUCHED:
            advance_if_possible(attachment, "keep", to=run.arguments["was"], **told)
        else:
            advance_if_possible(attachment, "fail_delete", **told)
