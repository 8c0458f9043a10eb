"""What happens when an attachment is deleted.

    detaching --(its export is revoked)--> the row is gone, and the volume what the others make it
              --(it could not be)--> error_detaching, and it can be deleted again
              --(cancelled before it began)--> what it was

The export stops being wanted in a commit of its own before it is revoked: from then on, whatever
dies, nobody makes it again. With `keeps_row` only the export goes: the client has disconnected, and
will say by itself that the volume is detached.
"""

from storage_project.operations.flow import advance, advance_if_possible
from storage_project.operations.messages import Code, StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run
from storage_project.operations.services import active_operations, go_on_with
from storage_project.operations.states import CONTROL_QUEUE
from volumes.attachment_exports import NOT_EXPORTED
from volumes.attachment_state import changing_attachments
from volumes.exports import open_export
from volumes.models import Attachment
from volumes.pools import placed, queue_of
from volumes.removal import remove_attachment_row

pipeline = Pipeline("attachment.delete", model=Attachment)


@pipeline.validate
def validate(run: Run) -> None:
    run.require_status("detaching")


@pipeline.schedule
def schedule(run: Run) -> None:
    attachment: Attachment = run.load("volume__pool__service")
    if not attachment.export:
        run.provision_queue = CONTROL_QUEUE
        return
    run.provision_queue = queue_of(placed(attachment.volume).host)
    run.notes["unwanted"] = True
    with run.commit():
        Attachment.objects.filter(pk=attachment.pk).update(wanted=False)


@pipeline.provision
def provision(run: Run) -> None:
    attachment: Attachment = run.load()
    if attachment.export:
        assert attachment.host_name is not None
        open_export(attachment.export).revoke(str(attachment.pk), host=attachment.host_name)


@pipeline.report
def report(run: Run) -> None:
    volume_id = run.load().volume_id
    with run.commit(), changing_attachments(volume_id, operation=run.operation):
        # In whatever status: its export is gone, even where somebody has reset it meanwhile.
        attachment: Attachment = run.load()
        if run.arguments.get("keeps_row"):
            rows = Attachment.objects.filter(pk=attachment.pk)
            rows.update(connector=None, **NOT_EXPORTED)
        else:
            remove_attachment_row(attachment, operation=run.operation)


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    attachment: Attachment = run.resource
    was = run.arguments["was"]
    with changing_attachments(attachment.volume_id, operation=run.operation):
        if error.code is Code.CANCELLED and "unwanted" not in run.notes:
            if was != "detaching":
                advance_if_possible(attachment, "keep", to=was, operation=run.operation)
            return
        Attachment.objects.filter(pk=attachment.pk).update(wanted=False)
        advance_if_possible(attachment, "fail_delete", operation=run.operation, note=error.sentence)


def go_on_to_disconnect(run: Run, attachment: Attachment) -> None:
    """Have the attachment deleted once this operation ends, unless somebody does already; in the
    transaction in which it ends, with the volume locked."""
    if is_being_disconnected(attachment):
        return
    operation = go_on_with(pipeline.kind, attachment, after=run.operation, was=attachment.status)
    if attachment.status != "detaching":
        advance(attachment, "delete", operation=operation)


def is_being_disconnected(attachment: Attachment) -> bool:
    """Whether an operation deletes the attachment, or will."""
    return active_operations(attachment.pk).filter(kind=pipeline.kind).exists()
