"""What happens when a volume is connected for one attachment.

    attaching --(an export takes it to the client's host)--> attaching, with connection_info
              --(no export can, or the one that could failed)--> error_attaching

The attachment stays `attaching` until its client has connected and says so; with `for_server` we
are that client, and `server.attach` goes on (see `attach.py`). The export is chosen
where the volume is: only there can be told how it is reached. It is wanted, with its secret, in a
commit of its own before it is published: from then on, whatever dies, it is made and kept.
"""

import secrets
from typing import Any

from storage_project.operations.flow import advance_if_possible
from storage_project.operations.messages import Code, StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import GoneError, Run
from storage_project.operations.services import go_on_with
from volumes.attachment_exports import NOT_EXPORTED, choose_export, describe_export
from volumes.attachment_state import changing_attachments
from volumes.exports import open_export
from volumes.models import Attachment
from volumes.pools import placed, queue_of
from volumes.removal import remove_attachment_row
from volumes.states import BY_ATTACHMENTS

pipeline = Pipeline("attachment.connect", model=Attachment)

SECRET_BYTES = 12


@pipeline.validate
def validate(run: Run) -> None:
    attachment: Attachment = run.load("volume")
    if attachment.status not in ("attaching", "attached"):
        raise StepError(Code.CHANGED_MEANWHILE, f"Its status is {attachment.status}.")
    if attachment.volume.status not in BY_ATTACHMENTS:
        raise StepError(
            Code.CHANGED_MEANWHILE, f"The status of its volume is {attachment.volume.status}."
        )


@pipeline.schedule
def schedule(run: Run) -> None:
    attachment: Attachment = run.load("volume__pool__service")
    run.provision_queue = queue_of(placed(attachment.volume).host)


@pipeline.provision
def provision(run: Run) -> None:
    attachment: Attachment = run.load("volume__pool")
    if not attachment.export:
        name = choose_export(attachment)
        secret = secrets.token_hex(SECRET_BYTES) if open_export(name).has_secret else None
        with run.checkpoint():
            _set(attachment, export=name, wanted=True, secret=secret)
    connection_info = open_export(attachment.export).publish(describe_export(attachment))
    with run.checkpoint():
        _set(attachment, connection_info=connection_info)


@pipeline.report
def report(run: Run) -> None:
    if not run.arguments.get("for_server"):
        return  # Its status is the client's to move.
    attachment: Attachment = run.load()
    with run.commit():
        go_on_with("server.attach", attachment, after=run.operation)


@pipeline.undo
def undo(run: Run) -> None:
    attachment: Attachment = run.load()
    if not attachment.export:
        return
    with run.checkpoint():
        _set(attachment, wanted=False)
    assert attachment.host_name is not None
    open_export(attachment.export).revoke(str(attachment.pk), host=attachment.host_name)


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    attachment: Attachment = run.resource
    with changing_attachments(attachment.volume_id, operation=run.operation):
        told = {"operation": run.operation, "note": error.sentence}
        if not run.left_behind:
            _set(attachment, **NOT_EXPORTED)
            advance_if_possible(attachment, "fail_connect", **told)
            if run.arguments.get("for_server"):
                remove_attachment_row(attachment, operation=run.operation)
            return
        # Nobody knows whether it is there: as after a revocation that failed, it is to be deleted.
        _set(attachment, wanted=False)
        if advance_if_possible(attachment, "delete", **told):
            advance_if_possible(attachment, "fail_delete", **told)


def _set(attachment: Attachment, **values: Any) -> None:
    """Set columns that are not the status, of a row that is still there."""
    if not Attachment.objects.filter(pk=attachment.pk).update(**values):
        raise GoneError
    for name, value in values.items():
        setattr(attachment, name, value)
