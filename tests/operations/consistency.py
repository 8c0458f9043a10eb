"""What must always hold, and what must hold whenever no operation is underway."""

from collections import Counter, defaultdict
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Sum

from backups.contents import open_contents
from backups.models import Backup, Repository, Session
from backups.upkeep.trials import scratch_folder
from drivers.hypervisor.base import serial_of
from storage_project.config import configuration
from storage_project.operations.flow import Flow
from storage_project.operations.messages import Code
from storage_project.operations.models import Message, Operation, Transition
from storage_project.operations.states import ACTIVE, STEPS, Status, Step
from volumes.attachment_state import status_by
from volumes.backends import open_backend
from volumes.exports import exports_of, open_export
from volumes.hypervisors import open_hypervisor
from volumes.models import Attachment, Pool, QuotaUsage, Server, Snapshot, Volume
from volumes.quota import backup_charges, expected_usage, growth_charges
from volumes.states import BY_ATTACHMENTS


def require_consistent() -> None:
    """Assert all that must hold once everything has ended."""
    for operation in Operation.objects.prefetch_related("message_set"):
        require_ended(operation)
    require_whole_histories()
    require_exact_backends()
    require_exact_exports()
    require_exact_disks()
    require_exact_repositories()
    require_always()


def require_always() -> None:
    """Assert what must hold at every moment."""
    require_owned_transitions()
    require_exact_pools()
    require_exact_quotas()
    require_owned_storage()
    require_volumes_by_attachments()


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
    messages = operation.message_set.all()
    if operation.status == Status.SUCCEEDED:
        done = [event["step"] for event in operation.timeline if event["outcome"] == "done"]
        # A step is done again only where another candidate was tried.
        assert [step for step in done if step != Step.PROVISION] == [
            step for step in STEPS if step is not Step.PROVISION
        ], story
        assert outcomes[-1] == "done", story
        assert (operation.step, operation.error, operation.error_code) == (Step.DONE, "", ""), story
        # It may have found something out.
        assert not [each for each in messages if each.code != Code.DAMAGED], story
    else:
        assert outcomes[-1] == operation.status, story
        [message] = [each for each in messages if not _tells_of_damage(each)]
        assert message.sentence == operation.error != "", story
        assert message.code == operation.error_code, story


def _tells_of_damage(message: Message) -> bool:
    return message.code == Code.DAMAGED and message.level == "WARNING"


def require_whole_histories() -> None:
    """Everything with a status has a whole history, also what is gone."""
    histories: defaultdict[UUID, list[Transition]] = defaultdict(list)
    for move in Transition.objects.all():
        histories[move.resource_id].append(move)
    for model in (Volume, Snapshot, Attachment, Backup, Repository):
        rows = {row.pk: row for row in model.objects.all()}
        for row in rows.values():
            assert _last_status(histories[row.pk], row.flow) == row.status
        for resource_id in histories.keys() - rows.keys():
            history = histories[resource_id]
            if history[0].resource_type == model.flow.resource:
                assert _last_status(history, model.flow) == "deleted"


def _last_status(history: list[Transition], flow: Flow) -> str:
    """What the history says that the status is; every move in it must be a permitted one."""
    status = ""
    for move in history:
        # What was deleted may be imported again.
        assert move.was == status.replace("deleted", ""), [*map(str, history)]
        first, last, forced = not move.was, move.became == "deleted", move.note.startswith("reset")
        assert first or last or forced or flow.permits(move.was, move.became), str(move)
        status = move.became
    return status


def require_owned_transitions() -> None:
    """Who is on the way to another status has an operation that brings it there."""
    operations = Operation.objects.filter(status__in=ACTIVE)
    # One on a backup moves its volume, or the snapshot of that, too.
    of_backups = operations.filter(kind__startswith="backup.")
    active = {*operations.values_list("resource_id", flat=True)}
    active |= {
        UUID(each.arguments["volume_id"]) for each in of_backups if "volume_id" in each.arguments
    }
    for volume in Volume.objects.exclude(pk__in=active):
        assert volume.status not in volume.flow.transitional, story_of(volume)
    # An operation on its volume moves a snapshot, too.
    for snapshot in Snapshot.objects.exclude(Q(pk__in=active) | Q(volume__in=active)):
        assert snapshot.status not in snapshot.flow.transitional, story_of(snapshot)
    for backup in Backup.objects.exclude(pk__in=active):
        assert backup.status not in backup.flow.transitional, story_of(backup)
    for repository in Repository.objects.exclude(pk__in=active):
        assert repository.status not in repository.flow.transitional, story_of(repository)


def require_exact_pools() -> None:
    """What is promised in each pool is the sum of the volumes there, and what they grow by."""
    for pool in Pool.objects.annotate(gib=Sum("volumes__size_gib"), number=Count("volumes")):
        growing = (extend for extend in _extends() if extend.notes.get("reserved_gib"))
        places = Volume.objects.filter(pool=pool).values_list("pk", flat=True)
        growth_gib = sum(
            extend.notes["reserved_gib"] for extend in growing if extend.resource_id in places
        )
        promised = (pool.allocated_gib, pool.allocated_volumes)
        assert promised == ((pool.gib or 0) + growth_gib, pool.number), pool.host


def require_exact_quotas() -> None:
    """What each project is charged for is what it has, and what that grows by."""
    for project_id in QuotaUsage.objects.values_list("project_id", flat=True).distinct():
        usages = QuotaUsage.objects.filter(project_id=project_id)
        in_use = Counter(dict(usages.values_list("resource", "in_use")))
        backups = Backup.objects.filter(project_id=project_id).values_list("size_gib", flat=True)
        expected = expected_usage(project_id)
        for size_gib in backups:
            expected.update(backup_charges(size_gib))
        assert in_use == expected
        reserved: Counter[str] = Counter()
        for extend in _extends().filter(project_id=project_id):
            volume = Volume.objects.get(pk=extend.resource_id)
            growth_gib = extend.arguments["new_size_gib"] - volume.size_gib
            reserved.update(growth_charges(volume.volume_type.name, growth_gib))
        assert Counter(dict(usages.values_list("resource", "reserved"))) == reserved


def _extends() -> "QuerySet[Operation]":
    return Operation.objects.filter(kind="volume.extend", status__in=ACTIVE)


def require_owned_storage() -> None:
    """Nothing is on a backend that no volume placed there owns, and no snapshot of one."""
    for pool in _pools_with_what_is_in_them():
        stored = open_backend(pool.backend).list_volumes(pool=pool.name)
        owners = {str(volume.pk) for volume in pool.volumes.all()}
        assert {each.volume_id for each in stored} <= owners, pool.host
        snapshots = open_backend(pool.backend).list_snapshots(pool=pool.name)
        known = {str(row.pk) for volume in pool.volumes.all() for row in volume.snapshots.all()}
        known |= {each for volume in pool.volumes.all() for each in volume.internal_snapshots}
        assert {each.snapshot_id for each in snapshots} <= known, pool.host


def _pools_with_what_is_in_them() -> "QuerySet[Pool]":
    return Pool.objects.prefetch_related("volumes__snapshots")


def require_exact_backends() -> None:
    """Each backend holds the volumes that are placed there and their snapshots, in their sizes.

    Of one in an error state nothing is certain: it may not have been made, or have been
    deleted, or have grown, before it failed.
    """
    for pool in _pools_with_what_is_in_them():
        stored = open_backend(pool.backend).list_volumes(pool=pool.name)
        sizes_gib = {each.volume_id: each.size_gib for each in stored}
        snapshots = open_backend(pool.backend).list_snapshots(pool=pool.name)
        taken = {each.snapshot_id: (each.volume_id, each.size_gib) for each in snapshots}
        for volume in pool.volumes.all():
            if not volume.status.startswith("error"):
                assert sizes_gib.get(str(volume.pk)) == volume.size_gib, story_of(volume)
            for row in volume.snapshots.all():
                if not row.status.startswith("error"):
                    assert taken.get(str(row.pk)) == (str(volume.pk), row.size_gib), story_of(row)


def require_exact_repositories() -> None:
    """Each repository holds the backups that say so, and a volume keeps at most one snapshot for
    the next one: what backups are made from has gone, or become that.

    Of a backup in an error state nothing is certain.
    """
    stored = {
        ref.backup_id
        for name in configuration().repositories
        for ref in open_contents(name).list_refs()
    }
    known = {str(row.pk) for row in Backup.objects.exclude(status__startswith="error")}
    uncertain = {str(row.pk) for row in Backup.objects.filter(status__startswith="error")}
    assert stored - uncertain == known
    left_behind = Message.objects.filter(sentence__contains="could not be taken back")
    for volume in Volume.objects.exclude(backup_snapshot_id=None):
        assert left_behind.filter(resource_id=volume.backup_snapshot_id), story_of(volume)
    assert not Session.objects.exists()
    scratches = scratch_folder()
    assert not scratches.exists() or [*scratches.iterdir()] == []


def require_volumes_by_attachments() -> None:
    """Each volume is what its attachments make it, unless something else is done with it, or an
    administrator has said otherwise."""
    for volume in Volume.objects.prefetch_related("attachments"):
        found = status_by({attachment.status for attachment in volume.attachments.all()})
        assert volume.attach_status == found[1], story_of(volume)
        resets = Transition.objects.filter(resource_id=volume.pk, note__startswith="reset")
        if volume.status in BY_ATTACHMENTS and not resets.exists():
            assert volume.status == found[0], story_of(volume)


def require_exact_exports() -> None:
    """What is exported has a row that says so, and what is wanted is there.

    Of one that could not be revoked nothing is certain.
    """
    exported = {
        published.export_id
        for backend in Pool.objects.values_list("backend", flat=True).distinct()
        for name in exports_of(backend)
        for published in open_export(name).list_exports()
    }
    listing = [name for name in _exports_in_use() if open_export(name).fences]
    rows = Attachment.objects.filter(export__in=listing)
    wanted = {str(row.pk) for row in rows.filter(wanted=True)}
    uncertain = {str(row.pk) for row in rows.filter(status="error_detaching")}
    assert exported - uncertain == wanted - uncertain
    for row in Attachment.objects.all():
        assert (row.connection_info is not None) >= row.wanted, story_of(row)
        assert row.status != "error_attaching" or not row.export, story_of(row)


def require_exact_disks() -> None:
    """Each server has the disks of what is attached to it, as far as that is certain."""
    for server in Server.objects.all():
        disks = open_hypervisor(server.hypervisor).list_disks(str(server.pk))
        rows = Attachment.objects.filter(server_id=server.pk)
        attached = {serial_of(str(row.volume_id)) for row in rows.filter(status="attached")}
        uncertain = {serial_of(str(row.volume_id)) for row in rows.filter(status="error_detaching")}
        assert {disk.serial for disk in disks} - uncertain == attached, [*map(story_of, rows)]


def _exports_in_use() -> set[str]:
    return {*Attachment.objects.exclude(export="").values_list("export", flat=True)}


def story_of(row: Volume | Snapshot | Attachment | Backup | Repository) -> str:
    """Everything that happened to it, for the failure of a test."""
    lines = [f"{row.flow.resource} {row.pk} {row.status}"]
    lines += map(str, Transition.objects.filter(resource_id=row.pk))
    for operation in Operation.objects.filter(resource_id=row.pk).order_by("created_at"):
        lines.append(f"{operation} {operation.status} {operation.error}")
        lines += [f"  {event}" for event in operation.timeline]
    return "\n".join(lines)
