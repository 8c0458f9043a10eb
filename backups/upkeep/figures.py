"""The figures of a repository: what a listing of its packs and its index tell, no more."""

from datetime import timedelta

from django.db.models import Q, Sum
from django.db.models.functions import Now

from backups.contents import open_contents
from backups.engine.format import BLOCK_BYTES
from backups.engine.repository import Repository as Contents
from backups.known import known_repository
from backups.models import Backup, Repository
from drivers.errors import DriverError, Reason
from drivers.units import GIB

# How soon it is measured again when something has changed, and when nothing is known to have.
SOONEST = timedelta(minutes=5)
LATEST = timedelta(hours=1)


def has_changed(name: str) -> None:
    """Say that something was stored in a repository, or freed."""
    Repository.objects.filter(name=name, outdated=False).update(outdated=True)


def measure_if_due(name: str) -> None:
    """Measure a repository if it is time; of several who look at once, one does."""
    open_contents(name)  # one that is down keeps the figures that it has
    rows = Repository.objects.filter(pk=known_repository(name).pk)
    due = Q(measured_at=None) | Q(measured_at__lte=Now() - LATEST)
    due |= Q(outdated=True, measured_at__lte=Now() - SOONEST)
    if not rows.filter(due).update(measured_at=Now(), outdated=False):
        return
    try:
        measure(name)
    except DriverError:
        has_changed(name)
        raise


def measure(name: str) -> None:
    """Take the figures of a repository into its row."""
    contents = open_contents(name)
    room = contents.driver.stats()
    there = Backup.objects.filter(container=name).exclude(status__in=("creating", "error"))
    size_gib = there.aggregate(total=Sum("size_gib", default=0))["total"]
    Repository.objects.filter(name=name).update(
        repository_id=contents.repository_id.hex(),
        encrypted=contents.encrypts,
        backups=sum(1 for _ in contents.list_refs()),
        logical_bytes=size_gib * GIB,
        unique_bytes=_unique_bytes(contents),
        stored_bytes=sum(each.size_bytes for each in contents.driver.list_objects("packs/")),
        free_bytes=room.free_bytes,
        total_bytes=room.total_bytes,
        measured_at=Now(),
    )


def _unique_bytes(contents: Contents) -> int | None:
    """By the entries of the index; None when it is damaged. A block that two shards have counts
    twice, which only chance or a repair makes happen."""
    try:
        contents.index.refresh()
    except DriverError as error:
        if error.code != Reason.corrupt:
            raise
        return None
    entries: int = sum(shard.entries for shard in contents.index.shards)
    return entries * BLOCK_BYTES
