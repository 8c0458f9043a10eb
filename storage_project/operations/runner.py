"""What happens when a step's turn has come: claim, run, commit; or try later, take back, give up.

This is the engine's middle, and knows no Celery: `tasks.py` calls `run_step` from a worker, the
dispatcher calls `give_up`, and the tests call both.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

import structlog
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from drivers.errors import DriverError
from storage_project.operations.flow import StateConflict
from storage_project.operations.lease import claim, heartbeat
from storage_project.operations.messages import Code, NotYet, StepError, as_step_error
from storage_project.operations.models import Operation
from storage_project.operations.pipeline import Pipeline, pipelines
from storage_project.operations.run import Fenced, GoneError, Run
from storage_project.operations.states import ACTIVE, UNTOUCHED, Status, Step
from storage_project.operations.telling import tell
from storage_project.operations.wakeup import ring_the_dispatcher

MAX_BACKOFF_S = 60

log = structlog.get_logger(__name__)


class Outcome(StrEnum):
    """How one delivery of a step ended. Only after DONE does the chain go on."""

    DONE = "done"
    NOT_MINE = "somebody else has it, or it is done"
    LATER = "will be tried again"
    UNDO = "is to be taken back"
    MOVED = "goes on with the next candidate"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Delivery(NamedTuple):
    """How the delivery of a step ended, and the queue of the placed steps after it."""

    outcome: Outcome
    queue: str = ""


def run_step(operation_id: str, step: Step, *, queue: str | None = None) -> Delivery:
    """Run `step` of an operation if it is its turn and nobody else has it.

    Raises nothing but database errors: then the lease runs out, and the reconciler rings again.
    """
    operation = claim(operation_id, step, queue)
    if operation is None:
        return Delivery(Outcome.NOT_MINE)
    pipeline = pipelines()[operation.kind]
    run = pipeline.take_up(operation)
    with (
        heartbeat.hold(run),
        structlog.contextvars.bound_contextvars(
            operation=str(operation.pk),
            kind=operation.kind,
            step=step,
            request_id=operation.request_id,
        ),
    ):
        outcome = _guarded(lambda: _run_claimed(run, pipeline, step))
        return Delivery(outcome, run.provision_queue)


def _guarded(act: Callable[[], Outcome]) -> Outcome:
    """Let nothing but database errors out of a go at an operation.

    After any error the lease runs out and the operation is rung again. So one whose way back has a
    defect stops nobody else, and ends by itself once that is mended.
    """
    try:
        return act()
    except Fenced:
        log.warning("fenced off: another worker has the operation")
        return Outcome.NOT_MINE
    except (DatabaseError, InterfaceError):
        raise
    except Exception:
        log.exception("an operation could not be ended")
        return Outcome.LATER


def _run_claimed(run: Run, pipeline: Pipeline, step: Step) -> Outcome:
    operation = run.operation
    try:
        if operation.attempts > pipeline.max_attempts:
            raise StepError(Code.WORKER_DIED)
        if step is Step.UNDO:
            return _undo(run, pipeline, _recorded_error(operation))
        if operation.cancel_requested and pipeline.may_cancel(step, operation.attempts - 1):
            raise StepError(Code.CANCELLED)
        if step is Step.VALIDATE:
            _wait_for_others(run)
        pipeline.steps[step](run)
        if not run.committed:
            run.step_done()
    except NotYet as wait:
        return _wait(run, wait)
    except StepError as error:
        return _later_or_fail(run, pipeline, error)
    except DriverError as error:
        return _later_or_fail(run, pipeline, _translated(run, error))
    except StateConflict as conflict:
        return _fail(run, pipeline, StepError(Code.CHANGED_MEANWHILE, conflict.message))
    except (DataError, IntegrityError):
        # The database is there. It refuses what the step wants to write, and would again.
        log.exception("a step wrote what it should not")
        return _fail(run, pipeline, StepError(Code.INTERNAL))
    except (Fenced, DatabaseError, InterfaceError):
        raise
    except Exception:
        log.exception("a step raised what it should not")
        return _fail(run, pipeline, StepError(Code.INTERNAL))
    return Outcome.DONE


def _translated(run: Run, error: DriverError) -> StepError:
    log.warning("the driver failed", error=str(error), detail=error.detail)
    return as_step_error(error, run.operation.provision_queue)


def _wait_for_others(run: Run) -> None:
    waits_for = run.arguments.get("waits_for")
    if not waits_for:
        return
    other = Operation.objects.filter(pk__in=waits_for, status__in=ACTIVE).first()
    if other:
        # It is rung when the other ends. The longer it has waited, the less it matters if not.
        waited_s = (timezone.now() - run.operation.created_at).total_seconds()
        wait_s = min(MAX_BACKOFF_S, max(1.0, waited_s / 10))
        waiting = f"waits for {other.kind} {other.pk} to end"
        raise NotYet(waiting, wait_s=wait_s, waits_for=other.pk)


def _wait(run: Run, wait: NotYet) -> Outcome:
    # No attempt is counted, but that provision has begun is not forgotten.
    begun = 1 if run.operation.step == Step.PROVISION else 0
    with transaction.atomic():
        # First the other's row, then ours: in this order, too, who ends rings who waits.
        if wait.waits_for is not None:
            other = Operation.objects.filter(pk=wait.waits_for, status__in=ACTIVE)
            if not other.update(is_awaited=True):
                wait.wait_s = 0  # it has just ended
        run.write(
            Outcome.LATER,
            str(wait),
            status=Status.PENDING,
            attempts=max(begun, run.operation.attempts - 1),
            ring_after=Now() + timedelta(seconds=wait.wait_s),
            waits_for=wait.waits_for,
            phase=str(wait),
        )
    if not wait.wait_s:
        ring_the_dispatcher()
    return Outcome.LATER


def _later_or_fail(run: Run, pipeline: Pipeline, error: StepError) -> Outcome:
    attempts = run.operation.attempts
    if not error.retryable or attempts >= pipeline.max_attempts:
        return _fail(run, pipeline, error)
    wait_s = min(MAX_BACKOFF_S, 2 ** (attempts - 1))
    log.info("the step will be tried again", attempt=attempts, wait_s=wait_s, error=str(error))
    run.write(
        Outcome.LATER,
        error.sentence,
        status=Status.PENDING,
        ring_after=Now() + timedelta(seconds=wait_s),
        error_code=error.code,
        error=error.sentence,
    )
    return Outcome.LATER


def _fail(run: Run, pipeline: Pipeline, error: StepError) -> Outcome:
    """Take back what may have been done, then go on elsewhere or end."""
    operation = run.operation
    step = Step(operation.step)
    if step is Step.UNDO:
        return _settle_unclean(run, pipeline, _recorded_error(operation))
    if pipeline.on_undo is None or step in UNTOUCHED:
        return _settle(run, pipeline, error)
    if step is Step.PROVISION and error.code is not Code.WORKER_DIED:
        # Already where the resource is. Killed in here, the step is tried again, and fails again.
        return _undo(run, pipeline, error)
    _ring_undo(run, error, attempts=0, wait_s=0)
    ring_the_dispatcher()
    return Outcome.LATER


def _ring_undo(run: Run, error: StepError, *, attempts: int, wait_s: float) -> None:
    values = run.at_step(Step.UNDO, ring_in_s=wait_s) | {"attempts": attempts}
    run.write(Outcome.UNDO, error.sentence, **values, error_code=error.code, error=error.sentence)


def _undo(run: Run, pipeline: Pipeline, failure: StepError) -> Outcome:
    """Take back, then fall through to the next candidate, or settle with `failure`.

    An error in here that may pass is retried like any other; one that will not ends the operation,
    with a message that says something is left behind.
    """
    attempts = run.operation.attempts
    assert pipeline.on_undo is not None
    try:
        pipeline.on_undo(run)
    except DriverError as error:
        log.warning("undo failed", error=str(error), detail=error.detail)
        if not error.retryable or attempts >= pipeline.max_attempts:
            return _settle_unclean(run, pipeline, failure)
        wait_s = min(MAX_BACKOFF_S, 2 ** (attempts - 1))
        _ring_undo(run, failure, attempts=attempts, wait_s=wait_s)
        return Outcome.LATER
    return _go_elsewhere_or_settle(run, pipeline, failure)


def _go_elsewhere_or_settle(run: Run, pipeline: Pipeline, failure: StepError) -> Outcome:
    if failure.is_of_the_backend and pipeline.on_fall_through is not None:
        with transaction.atomic():
            last = pipeline.on_fall_through(run, failure)
            if last is None:
                values = run.at_step(Step.PROVISION, ring_in_s=0)
                run.write(Outcome.MOVED, failure.sentence, **values, error_code="", error="")
        if last is None:
            ring_the_dispatcher()
            return Outcome.MOVED
        failure = last
    return _settle(run, pipeline, failure)


def _recorded_error(operation: Operation) -> StepError:
    error = StepError(Code(operation.error_code))
    error.sentence = operation.error
    return error


def _settle_unclean(run: Run, pipeline: Pipeline, error: StepError) -> Outcome:
    run.left_behind = True
    error.sentence += " What it had begun could not be taken back; delete it to try that again."
    return _settle(run, pipeline, error)


def _settle(run: Run, pipeline: Pipeline, error: StepError) -> Outcome:
    """The last transaction of an operation that did not succeed: status, quota, message."""
    operation = run.operation
    outcome = Outcome.CANCELLED if error.code is Code.CANCELLED else Outcome.FAILED
    assert pipeline.on_failed is not None
    with transaction.atomic():
        with suppress(GoneError):
            pipeline.on_failed(run, error)
        level = "INFO" if outcome is Outcome.CANCELLED else "ERROR"
        tell(operation, error.code, error.sentence, level=level)
        run.write(
            outcome,
            error.sentence,
            status=Status(outcome.value),
            finished_at=Now(),
            error_code=error.code,
            error=error.sentence,
        )
        run.ring_who_waits()
    log.info("the operation ended", outcome=outcome, error=error.sentence)
    return outcome


def give_up(operation: Operation, error: StepError) -> Outcome:
    """End an operation that no worker comes for: its deadline has passed, or a cancel is due.

    What was never begun is settled here. What a backend may have begun is taken back there, unless
    that is just what nobody came for; then the message says that something may be left behind.
    """
    claimed = claim(str(operation.pk), operation.step)
    if claimed is None:
        return Outcome.NOT_MINE
    pipeline = pipelines()[claimed.kind]
    run = pipeline.take_up(claimed)
    return _guarded(lambda: _give_up_claimed(run, pipeline, error))


def _give_up_claimed(run: Run, pipeline: Pipeline, error: StepError) -> Outcome:
    operation = run.operation
    step = Step(operation.step)
    begun = pipeline.begun(step, operation.attempts - 1)
    if error.code is Code.CANCELLED and begun and pipeline.on_undo is None:
        # It was begun a moment ago, and is not cancelled half way.
        run.write(
            Outcome.LATER,
            "too late to cancel",
            status=Status.PENDING,
            attempts=operation.attempts - 1,
            ring_after=Now(),
        )
        return Outcome.NOT_MINE
    if not begun:
        if step is Step.PROVISION:
            return _go_elsewhere_or_settle(run, pipeline, error)
        return _settle(run, pipeline, error)
    if step is Step.UNDO:
        return _settle_unclean(run, pipeline, _recorded_error(operation))
    if error.code is not Code.CANCELLED or pipeline.on_undo is None:
        return _settle_unclean(run, pipeline, error)
    _ring_undo(run, error, attempts=0, wait_s=0)
    return Outcome.LATER
