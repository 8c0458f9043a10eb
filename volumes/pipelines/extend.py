"""What happens when a volume is extended.

    extending --(its pool has room, the backend has grown it)--> what it was, with the new size
              --(the backend could not)--> error_extending
              --(no room in its pool, or cancelled before it began)--> what it was

The quota of the growth was reserved with the request; the room in the pool is reserved here. A
volume cannot be made smaller, so there is no way back once the backend has begun.

One that is in use is exported in its new size, too; then `server.extend` tells the server, so that
its guest sees it (see `extend_disk.py`).
"""

from storage_project.operations.flow import advance_if_possible
from storage_project.operations.messages import Code, StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run
from storage_project.operations.services import go_on_with
from storage_project.operations.states import UNTOUCHED
from volumes import quota
from volumes.attachment_exports import describe_export
from volumes.attachment_state import attachments_to_servers, status_at_rest
from volumes.backends import open_backend
from volumes.exports import open_export
from volumes.models import Attachment, Volume
from volumes.pools import placed, pool_state, queue_of, release_room, reserve_room
from volumes.scheduler.filters import lacks_space
from volumes.scheduler.request import VolumeRequest

pipeline = Pipeline("volume.extend", model=Volume)


@pipeline.validate
def validate(run: Run) -> None:
    run.require_status("extending")


@pipeline.schedule
def schedule(run: Run) -> None:
    volume: Volume = run.load("pool")
    pool = pool_state(placed(volume))
    growth_gib = _growth_gib(run, volume)
    refusal = lacks_space(VolumeRequest(size_gib=growth_gib), pool)
    with run.commit():
        if refusal or not reserve_room(pool, growth_gib, volumes=0):
            reason = refusal or "has filled up meanwhile"
            raise StepError(Code.BACKEND_FULL, f"It cannot grow: {pool.host} {reason}.")
        run.notes["reserved_gib"] = growth_gib
        run.provision_queue = queue_of(pool.host)


@pipeline.provision
def provision(run: Run) -> None:
    volume: Volume = run.load("pool")
    pool = placed(volume)
    exported = list(volume.attachments.filter(wanted=True).select_related("volume__pool"))
    _require_growable(run, exported)
    open_backend(pool.backend).extend_volume(
        str(volume.pk), run.arguments["new_size_gib"], pool=pool.name
    )
    for attachment in exported:
        open_export(attachment.export).extend(describe_export(attachment))


@pipeline.report
def report(run: Run) -> None:
    volume: Volume = run.load("volume_type")
    charges = quota.growth_charges(volume.volume_type.name, _growth_gib(run, volume))
    grown = {"size_gib": run.arguments["new_size_gib"]}
    with run.commit():
        now = status_at_rest(volume)
        if not advance_if_possible(volume, "extended", to=now, operation=run.operation, **grown):
            # Somebody has forced its status elsewhere meanwhile; its size is what it is.
            Volume.objects.filter(pk=volume.pk).update(**grown)
        quota.settle(volume.project_id, charges)
        for attachment in attachments_to_servers(volume):
            go_on_with("server.extend", attachment, after=run.operation, **grown)


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    volume: Volume = run.load("volume_type")
    charges = quota.growth_charges(volume.volume_type.name, _growth_gib(run, volume))
    told = {"operation": run.operation, "note": error.sentence}
    untouched = error.code is Code.CANCELLED or run.operation.step in UNTOUCHED
    if untouched or run.notes.get("refused"):
        advance_if_possible(volume, "keep_size", to=status_at_rest(volume), **told)
    else:
        advance_if_possible(volume, "fail_extend", **told)
    if reserved_gib := run.notes.get("reserved_gib"):
        release_room(placed(volume).pk, reserved_gib, volumes=0)
    quota.give_back(volume.project_id, charges, column="reserved")


def _require_growable(run: Run, exported: list[Attachment]) -> None:
    """Refuse a volume that somebody uses in a way that cannot grow, before anything is done."""
    for attachment in exported:
        if not open_export(attachment.export).extends_in_use:
            run.notes["refused"] = True
            raise StepError(
                Code.BACKEND_FAILED,
                f"It is attached over {attachment.export}, where it cannot grow; detach it first.",
            )


def _growth_gib(run: Run, volume: Volume) -> int:
    new_size_gib: int = run.arguments["new_size_gib"]
    return new_size_gib - volume.size_gib
