"""What happens on a server when a volume that it uses has been extended.

    attached --(the hypervisor has told the guest)--> attached
             --(it could not)--> attached, and a message says so

The volume has its new size already (see `extend.py`), so nothing is taken back: a guest that was
not told finds the new size when it starts anew.
"""

from drivers.hypervisor.base import serial_of
from drivers.units import GIB
from storage_project.operations.messages import StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run
from volumes.hypervisors import open_hypervisor
from volumes.models import Attachment
from volumes.pipelines.attach import go_to_server

pipeline = Pipeline("server.extend", model=Attachment)


@pipeline.validate
def validate(run: Run) -> None:
    run.require_status("attached")


@pipeline.schedule
def schedule(run: Run) -> None:
    go_to_server(run)


@pipeline.provision
def provision(run: Run) -> None:
    attachment: Attachment = run.load()
    open_hypervisor(run.notes["hypervisor"]).extend(
        str(attachment.server_id),
        serial_of(str(attachment.volume_id)),
        run.arguments["size_gib"] * GIB,
    )


@pipeline.report
def report(run: Run) -> None:
    pass  # There is nothing to say of it but that it is done.


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    pass  # The message is all.
