"""What happens when a volume is extended.

    extending --(its pool has room, the backend has grown it)--> available, with the new size
              --(the backend could not)--> error_extending
              --(no room in its pool, or cancelled before it began)--> available

The quota of the growth was reserved with the request; the room in the pool is reserved here. A
volume cannot be made smaller, so there is no way back once the backend has begun.
"""

from storage_project.operations.flow import advance_if_possible
from storage_project.operations.messages import Code, StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run
from storage_project.operations.states import UNTOUCHED
from volumes import quota
from volumes.backends import open_backend
from volumes.models import Volume
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
    open_backend(pool.backend).extend_volume(
        str(volume.pk), run.arguments["new_size_gib"], pool=pool.name
    )


@pipeline.report
def report(run: Run) -> None:
    volume: Volume = run.load("volume_type")
    charges = quota.growth_charges(volume.volume_type.name, _growth_gib(run, volume))
    grown = {"size_gib": run.arguments["new_size_gib"]}
    with run.commit():
        if not advance_if_possible(volume, "extended", operation=run.operation, **grown):
            # Somebody has forced its status elsewhere meanwhile; its size is what it is.
            Volume.objects.filter(pk=volume.pk).update(**grown)
        quota.settle(volume.project_id, charges)


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    volume: Volume = run.load("volume_type")
    charges = quota.growth_charges(volume.volume_type.name, _growth_gib(run, volume))
    untouched = error.code is Code.CANCELLED or run.operation.step in UNTOUCHED
    move = "keep_size" if untouched else "fail_extend"
    advance_if_possible(volume, move, operation=run.operation, note=error.sentence)
    if reserved_gib := run.notes.get("reserved_gib"):
        release_room(placed(volume).pk, reserved_gib, volumes=0)
    quota.give_back(volume.project_id, charges, column="reserved")


def _growth_gib(run: Run, volume: Volume) -> int:
    new_size_gib: int = run.arguments["new_size_gib"]
    return new_size_gib - volume.size_gib
