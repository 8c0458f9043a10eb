"""One worker's go at one step: what a step function gets to work with."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from time import monotonic
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Now
from django.utils import timezone

from storage_project.operations import statements
from storage_project.operations.messages import Code, StepError
from storage_project.operations.models import Event, Operation
from storage_project.operations.states import Status, Step, following
from storage_project.operations.wakeup import ring_the_dispatcher

# A step that has just been rung is given this long before it is rung again.
FIRST_RING_S = 3
# How long a step may wait for a worker before the operation is given up.
PATIENCE_S: int = settings.OPERATION_PATIENCE_S
# Of less than this no rate is told.
SHORTEST_S = 0.1


class GoneError(StepError):
    """The row that the operation is about has been deleted."""

    def __init__(self) -> None:
        super().__init__(Code.CHANGED_MEANWHILE, "It does not exist any more.")


class Fenced(Exception):  # noqa: N818 - not an error: somebody else goes on with the operation
    """The lease is lost; nothing of what this worker wanted to write was written."""


class Run:
    """The operation as it was claimed, its resource, and the guarded way to write.

    Values set on `run.notes` and `run.provision_queue` are stored by the commit, the notes also by
    a checkpoint.
    """

    def __init__(self, operation: Operation, resources: "models.QuerySet[Any]") -> None:
        self.operation = operation
        self._resources = resources
        self.notes: dict[str, Any] = operation.notes
        self.arguments: dict[str, Any] = operation.arguments
        self.provision_queue = operation.provision_queue
        self.committed = False
        # Set when it ends although the backend may still hold what it had begun.
        self.left_behind = False
        # Set by the heartbeat thread; read between chunks of long work.
        self.lease_lost = False
        self.cancel_requested = operation.cancel_requested
        # When this phase began, and with how many bytes done.
        self._pace: tuple[float, int] | None = None

    @cached_property
    def resource(self) -> Any:
        """The row that the operation is about, read when first asked for."""
        return self.load()

    def load(self, *related: str) -> Any:
        """Read that row, with rows it refers to in the same query; or `GoneError`."""
        rows = self._resources.select_related(*related) if related else self._resources
        row = _only(rows.filter(pk=self.operation.resource_id))
        if row is None:
            raise GoneError
        return row

    @property
    def reference(self) -> Any:
        """That row by its id alone, for moving its status: nothing is read."""
        return self._resources.model.from_db("default", ["id"], [self.operation.resource_id])

    def require_status(self, status: str) -> None:
        """Raise `StepError` unless the row still is what it was when the request was accepted."""
        rows = self._resources.filter(pk=self.operation.resource_id)
        now = _only(rows.values_list("status", flat=True))
        if now is None:
            raise GoneError
        self.require(now, status)

    @staticmethod
    def require(now: str, status: str) -> None:
        """The same for a row that has just been read."""
        if now != status:
            raise StepError(Code.CHANGED_MEANWHILE, f"Its status is {now}.")

    @contextmanager
    def commit(self) -> Iterator[None]:
        """One transaction with the caller's writes, and the step done; `Fenced` undoes all of it.

        The effects outside must be durable before this is entered.
        """
        with transaction.atomic():
            yield
            self.step_done()

    @contextmanager
    def checkpoint(self) -> Iterator[None]:
        """One transaction in the middle of a step, with the notes; `Fenced` undoes it when the
        lease is lost."""
        with transaction.atomic():
            yield
            still_ours = Operation.objects.filter(
                pk=self.operation.pk, fence=self.operation.fence, status=Status.RUNNING
            )
            if not still_ours.update(updated_at=Now(), notes=self.notes):
                raise Fenced

    def step_done(self) -> None:
        """Give the lease back with the step done: one statement, all that some steps need."""
        step = following(Step(self.operation.step))
        self.operation.phase = ""  # it was one of this step
        is_awaited = statements.step_done(
            self.operation,
            step,
            notes=self.notes,
            timeline=self._timeline("done"),
            queue=self.provision_queue,
            ring_in_s=FIRST_RING_S,
            patience_s=PATIENCE_S,
        )
        if is_awaited is None:
            raise Fenced
        self.committed = True
        if is_awaited and step is Step.DONE:
            self.ring_who_waits()

    def ring_who_waits(self) -> None:
        """The operation has ended: let those begin that waited for it."""
        waiting = Operation.objects.filter(waits_for=self.operation.pk, status=Status.PENDING)
        if waiting.update(ring_after=Now()):
            ring_the_dispatcher()

    def at_step(self, step: Step, *, ring_in_s: float) -> dict[str, Any]:
        """The values of an operation that waits for `step`, rung afresh after `ring_in_s`."""
        return {
            "step": step,
            "status": Status.PENDING,
            "attempts": 0,
            "rings": 0,
            "ring_after": Now() + timedelta(seconds=ring_in_s),
            "deadline_at": Now() + timedelta(seconds=PATIENCE_S),
        }

    def write(self, outcome: str, note: str = "", **values: Any) -> None:
        """Give the lease back and set `values`, if it is still ours; else raise `Fenced`.

        `outcome` and `note` become the timeline's entry of this go at the step.
        """
        changed = Operation.objects.filter(
            pk=self.operation.pk, fence=self.operation.fence, status=Status.RUNNING
        ).update(
            owner="",
            lease_until=None,
            timeline=self._timeline(outcome, note),
            notes=self.notes,
            provision_queue=self.provision_queue,
            updated_at=Now(),
            **values,
        )
        if not changed:
            raise Fenced

    def _timeline(self, outcome: str, note: str = "") -> list[Event]:
        event = Event(
            at=timezone.now().isoformat(timespec="milliseconds"),
            step=self.operation.step,
            outcome=outcome,
            attempt=self.operation.attempts,
            worker=self.operation.owner.partition("/")[0],
            note=note,
        )
        earlier = self.operation.timeline
        # Who waits for hours and looks every second does not fill the row.
        if earlier and {**earlier[-1], "at": "", "worker": ""} == {**event, "at": "", "worker": ""}:
            earlier = earlier[:-1]
        return [*earlier, event]

    def keep_going(self) -> None:
        """Call between chunks of long work: raises when it should not be gone on with."""
        self.keep_lease()
        if self.cancel_requested:
            raise StepError(Code.CANCELLED)

    def keep_lease(self) -> None:
        """The same for work that has no way back: only who has lost the lease stops."""
        if self.lease_lost:
            raise Fenced

    def track(self, done_bytes: int, total_bytes: int) -> None:
        """The `on_progress` of a driver that copies: note how far it is, and stop when asked to."""
        self.progress(done_bytes, total_bytes)
        self.keep_going()

    def track_to_the_end(self, done_bytes: int, total_bytes: int) -> None:
        """The same for work that has no way back."""
        self.progress(done_bytes, total_bytes)
        self.keep_lease()

    def progress(
        self, done_bytes: int, total_bytes: int | None = None, phase: str = "", **counted: int
    ) -> None:
        """Note how far the work is, and what else was counted. The heartbeat writes it to the row;
        this costs nothing."""
        operation = self.operation
        if self._pace is None or phase not in ("", operation.phase):
            self._pace = (monotonic(), done_bytes)
            operation.counted.pop("bytes_per_s", None)
        began, began_with = self._pace
        if (elapsed_s := monotonic() - began) > SHORTEST_S and done_bytes > began_with:
            counted["bytes_per_s"] = int((done_bytes - began_with) / elapsed_s)
        operation.progress_bytes = done_bytes
        operation.counted = {**operation.counted, **counted}
        if total_bytes is not None:
            operation.total_bytes = total_bytes
        if phase:
            operation.phase = phase


def _only(rows: "models.QuerySet[Any]") -> Any:
    """What a query by primary key finds, or None. `first()` would sort it."""
    return next(iter(rows), None)
