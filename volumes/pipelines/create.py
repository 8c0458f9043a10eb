"""What happens when a volume is created.

    creating --(a pool is reserved, the volume made there)--> available
             --(the same, and a backup goes into it next)--> restoring-backup
             --(no pool can take it, or all that could failed)--> error

Blank, or with the content of a snapshot or of another volume; then in the pool where that is.
A pool that fails is cleaned and released, and the next candidate is tried; only when none is left
does the operation fail, with the reason of each.
"""

from uuid import UUID

from storage_project.operations.flow import advance_if_possible
from storage_project.operations.messages import Code, StepError
from storage_project.operations.pipeline import Pipeline
from storage_project.operations.run import Run
from storage_project.operations.services import active_operations
from volumes.backends import open_backend
from volumes.models import Snapshot, Volume
from volumes.pools import (
    copy_queue,
    lock_pools,
    machines_beside,
    placed,
    pool_states,
    queue_of,
    release_room,
    reserve_room,
)
from volumes.scheduler.request import PoolState, VolumeRequest
from volumes.scheduler.schedule import explain_refusals, rank

pipeline = Pipeline("volume.create", model=Volume)


@pipeline.validate
def validate(run: Run) -> None:
    if "source" in run.arguments:
        _require_source(run.resource)


@pipeline.schedule
def schedule(run: Run) -> None:
    volume: Volume = run.load("volume_type")
    run.require(volume.status, "creating")
    request = VolumeRequest(
        size_gib=volume.size_gib,
        availability_zone=volume.availability_zone,
        extra_specs=volume.volume_type.extra_specs,
        same_host_pools=_required_pools(run, volume),
        different_host_pools=_pools_of(volume.project_id, run.arguments.get("different_host")),
        repository=(repository := run.arguments.get("repository")),
        repository_machines=machines_beside(repository) if repository else frozenset(),
    )
    ranking = rank(request, pool_states())
    run.notes["refusals"] = dict(ranking.refusals)
    with run.commit():
        if not _place(run, volume, list(ranking.candidates)):
            raise StepError(Code.NO_BACKEND, explain_refusals(volume.size_gib, _refusals(run)))


@pipeline.provision
def provision(run: Run) -> None:
    volume: Volume = run.load("pool")
    pool = placed(volume)
    driver = open_backend(pool.backend)
    if volume.source_snapshot_id:
        driver.create_volume_from_snapshot(
            str(volume.pk),
            volume.size_gib,
            str(volume.source_snapshot_id),
            run.arguments["source"],
            pool=pool.name,
            on_progress=run.track,
        )
    elif volume.source_volume_id:
        source = Volume.objects.filter(pk=volume.source_volume_id).first()
        driver.clone_volume(
            str(volume.pk),
            volume.size_gib,
            str(volume.source_volume_id),
            pool=pool.name,
            in_use=source is not None and source.in_use,
            on_progress=run.track,
        )
    else:
        driver.create_volume(str(volume.pk), volume.size_gib, pool=pool.name)


@pipeline.report
def report(run: Run) -> None:
    with run.commit():
        # Where somebody has forced its status elsewhere meanwhile, it is made all the same.
        becomes = _status_when_made(run)
        advance_if_possible(run.reference, "created", to=becomes, operation=run.operation)


@pipeline.undo
def undo(run: Run) -> None:
    volume: Volume = run.load("pool")
    pool = placed(volume)
    open_backend(pool.backend).delete_volume(str(volume.pk), pool=pool.name)


@pipeline.fall_through
def go_to_next_pool(run: Run, error: StepError) -> StepError | None:
    volume: Volume = run.resource
    failed_pool = placed(volume)
    _refusals(run)[failed_pool.host] = f"failed: {error.cause.rstrip('.')}"
    left = lock_pools([failed_pool.pk, *run.notes["candidates"]])
    candidates = [left[pool_id] for pool_id in run.notes["candidates"] if pool_id in left]
    if not _place(run, volume, candidates):
        return StepError(Code.NO_BACKEND, explain_refusals(volume.size_gib, _refusals(run)))
    release_room(failed_pool.pk, volume.size_gib)
    return None


@pipeline.failed
def fail(run: Run, error: StepError) -> None:
    volume: Volume = run.resource
    advance_if_possible(volume, "fail_create", operation=run.operation, note=error.sentence)
    if volume.pool_id is not None and not run.left_behind:
        Volume.objects.filter(pk=volume.pk).update(pool=None)
        release_room(volume.pool_id, volume.size_gib)


def _status_when_made(run: Run) -> str:
    """One that is made for a backup is restored next; if that has been given up meanwhile, it is
    not what was asked for."""
    if "backup" not in run.arguments:
        return "available"
    # Locked, as who gives up does: then either sees what the other has done.
    Volume.objects.select_for_update().filter(pk=run.operation.resource_id).first()
    restores = active_operations(UUID(run.arguments["backup"]))
    goes_on = restores.filter(arguments__volume_id=str(run.operation.resource_id)).exists()
    return "restoring-backup" if goes_on else "error_restoring"


def _place(run: Run, volume: Volume, candidates: list[PoolState]) -> bool:
    """Reserve the first candidate that still has room and route provision there."""
    for position, pool in enumerate(candidates):
        if reserve_room(pool, volume.size_gib):
            Volume.objects.filter(pk=volume.pk).update(
                pool=pool.id, availability_zone=pool.availability_zone
            )
            copies = "source" in run.arguments
            run.provision_queue = copy_queue(pool) if copies else queue_of(pool.host)
            run.notes["candidates"] = [later.id for later in candidates[position + 1 :]]
            return True
        _refusals(run)[pool.host] = "has filled up meanwhile"
    return False


def _refusals(run: Run) -> dict[str, str]:
    refusals: dict[str, str] = run.notes["refusals"]
    return refusals


def _require_source(volume: Volume) -> None:
    """What is to be copied may have been deleted since the request was accepted."""
    if snapshot_id := volume.source_snapshot_id:
        found = Snapshot.objects.filter(pk=snapshot_id).exists()
    elif volume_id := volume.source_volume_id:
        found = Volume.objects.filter(pk=volume_id).exists()
    else:
        found = True
    if not found:
        raise StepError(Code.CHANGED_MEANWHILE, "What it was to be made from has been deleted.")


def _required_pools(run: Run, volume: Volume) -> frozenset[str] | None:
    """The pools of the volumes that it is to be beside: those of a hint, and that of its source."""
    hinted = _pools_of(volume.project_id, run.arguments.get("same_host"))
    if "source" not in run.arguments:
        return hinted
    held = _pools_of(volume.project_id, [run.arguments["source"]]) or frozenset()
    return held if hinted is None else held & hinted


def _pools_of(project_id: str, volume_ids: list[str] | None) -> frozenset[str] | None:
    """The pools, as the scheduler names them, that hold these volumes of the project."""
    if volume_ids is None:
        return None
    volumes = Volume.objects.filter(project_id=project_id, pk__in=volume_ids, pool__isnull=False)
    return frozenset(placed(volume).host for volume in volumes.select_related("pool__service"))
