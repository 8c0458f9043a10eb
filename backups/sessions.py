"""Who writes to a repository just now, as the collector of the engine wants to know it.

A session is one go of a worker at an operation. It needs no heartbeat of its own: it lives as long
as the worker holds the operation's lease.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Min, QuerySet
from django.db.models.functions import Now

from backups.known import known_repository
from backups.models import Repository, Session
from drivers.errors import DriverError, Reason
from storage_project.operations.run import Run
from storage_project.operations.states import Status


@dataclass(frozen=True)
class LeasedSession:
    """The session of one go at an operation."""

    repository: str
    epoch: int

    def require_live(self) -> None:
        """Raise a `DriverError` once the lease is lost: it must not commit any more."""
        if not _live(self.repository).filter(epoch=self.epoch).exists():
            raise DriverError(
                "The backup lost its hold on the repository.", code=Reason.busy, retryable=True
            )


class LeasedSessions:
    """All sessions of one repository."""

    def __init__(self, repository: str) -> None:
        self._repository = repository

    def next_epoch(self) -> int:
        """A number greater than any given out before, at least 1."""
        with transaction.atomic():
            return self._tick()

    def oldest_live_epoch(self) -> int | None:
        """The least epoch of a session that has neither ended nor lapsed."""
        oldest: int | None = _live(self._repository).aggregate(epoch=Min("epoch"))["epoch"]
        return oldest

    @contextmanager
    def session(self, run: Run) -> Iterator[LeasedSession]:
        """The session of this go at an operation, for as long as the block runs."""
        mine = Session(
            repository=self._repository, operation=run.operation, fence=run.operation.fence
        )
        with transaction.atomic():
            # The clock stays locked until the session is there for everybody to see.
            mine.epoch = self._tick()
            mine.save(force_insert=True)
        try:
            yield LeasedSession(self._repository, mine.epoch)
        finally:
            mine.delete()

    def _tick(self) -> int:
        clock = Repository.objects.filter(name=self._repository)
        if not clock.update(epoch=F("epoch") + 1):
            known_repository(self._repository)
            clock.update(epoch=F("epoch") + 1)
        return clock.values_list("epoch", flat=True).get()

    def forget_lapsed(self) -> None:
        """Delete the rows of workers that died."""
        live = _live(self._repository).values("pk")
        Session.objects.filter(repository=self._repository).exclude(pk__in=live).delete()


def _live(repository: str) -> "QuerySet[Session]":
    return Session.objects.filter(
        repository=repository,
        operation__status=Status.RUNNING,
        operation__fence=F("fence"),
        operation__lease_until__gt=Now(),
    )
