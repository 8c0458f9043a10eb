"""What must hold whenever no operation is underway, whatever happened before."""

from collections import Counter

from django.db.models import Count, Sum

from storage_project.operations.models import Message, Operation, Transition
from storage_project.operations.states import ACTIVE, STEPS, Status, Step
from volumes.backends import open_backend
from volumes.models import Pool, QuotaUsage, Volume
from volumes.quota import expected_usage


def require_consistent() -> None:
    """Assert all of it."""
    for operation in Operation.objects.all():
        require_ended(operation)
    require_settled_volumes()
    require_exact_pools()
    require_exact_quotas()
    require_exact_backends()


def require_ended(operation: Operation) -> None:
    """It is over, holds nothing, and tells how it went: in its timeline, and when it failed in a
    message."""
    story = f"{operation} {operation.status}: {operation.timeline}"
    assert operation.status not in ACTIVE, story
    assert operation.lease_until is None, story
    assert operation.owner == "", story
    assert operation.finished_at is not None, story
    times = [event["at"] for event in operation.timeline]
    assert times == sorted(times), story
    outcomes = [event["outcome"] for event in operation.timeline]
    messages = Message.objects.filter(operation=operation)
    if operation.status == Status.SUCCEEDED:
        done = [event["step"] for event in operation.timeline if event["outcome"] == "done"]
        # A step is done again only where another candidate was tried.
        assert [step for step in done if step != Step.PROVISION] == [
            step for step in STEPS if step is not Step.PROVISION
        ], story
        assert outcomes[-1] == "done", story
        assert (operation.step, operation.error, operation.error_code) == (Step.DONE, "", ""), story
        assert not messages.exists(), story
    else:
        assert outcomes[-1] == operation.status, story
        message = messages.get()
        assert message.sentence == operation.error != "", story
        assert message.code == operation.error_code, story


def require_settled_volumes() -> None:
    """No volume is in a state that only an operation may hold, and each has a whole history."""
    for volume in Volume.objects.all():
        assert volume.status not in volume.flow.transitional, volume.status
        assert _last_status(volume.pk) == volume.status
    resources = Transition.objects.values_list("resource_id", flat=True).distinct()
    for gone in set(resources) - set(Volume.objects.values_list("pk", flat=True)):
        assert _last_status(gone) == "deleted"


def _last_status(resource_id: object) -> str:
    """What the history says that the status is; every move in it must be a permitted one."""
    flow = Volume.flow
    history = Transition.objects.filter(resource_id=resource_id)
    status = ""
    for move in history:
        assert move.was == status, [*map(str, history)]
        first, last, forced = not move.was, move.became == "deleted", move.note.startswith("reset")
        assert first or last or forced or flow.permits(move.was, move.became), str(move)
        status = move.became
    return status


def require_exact_pools() -> None:
    """What is promised in each pool is the sum of the volumes that are placed there."""
    for pool in Pool.objects.annotate(gib=Sum("volumes__size_gib"), number=Count("volumes")):
        promised = (pool.allocated_gib, pool.allocated_volumes)
        assert promised == (pool.gib or 0, pool.number), pool.host


def require_exact_quotas() -> None:
    """What each project is charged for is what it has, and nothing is reserved any more."""
    for project_id in QuotaUsage.objects.values_list("project_id", flat=True).distinct():
        usages = QuotaUsage.objects.filter(project_id=project_id)
        in_use = Counter(dict(usages.values_list("resource", "in_use")))
        assert in_use == expected_usage(project_id)
        assert not usages.exclude(reserved=0).exists()


def require_exact_backends() -> None:
    """Each backend holds the volumes that are placed there, in their sizes, and nothing else.

    Of a volume in an error state only that it has no more than its place is certain: it may not
    have been made, or have been deleted, or have grown, before it failed.
    """
    for pool in Pool.objects.all():
        stored = {
            each.volume_id: each.size_gib
            for each in open_backend(pool.backend).list_volumes(pool=pool.name)
        }
        rows = {str(volume.pk): volume for volume in pool.volumes.all()}
        assert stored.keys() <= rows.keys(), f"nobody owns {stored.keys() - rows.keys()}"
        for volume_id, volume in rows.items():
            if not volume.status.startswith("error"):
                assert stored.get(volume_id) == volume.size_gib, story_of(volume)


def story_of(volume: Volume) -> str:
    """Everything that happened to a volume, for the failure of a test."""
    lines = [f"{volume.pk} {volume.status} {volume.size_gib} GiB"]
    lines += map(str, Transition.objects.filter(resource_id=volume.pk))
    for operation in Operation.objects.filter(resource_id=volume.pk).order_by("created_at"):
        lines.append(f"{operation} {operation.status} {operation.error}")
        lines += [f"  {event}" for event in operation.timeline]
    return "\n".join(lines)
