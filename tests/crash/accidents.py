"""What can happen to a worker at a step: for as long as a block runs, the step is replaced by one
that dies, fails or dawdles. The engine itself is untouched.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from typing import Any
from unittest.mock import patch

from storage_project.operations.models import Operation
from storage_project.operations.pipeline import StepFunction, pipelines
from storage_project.operations.run import Run
from storage_project.operations.states import Step
from tests.operations.engine import Engine, Killed

FOR_EVER = 1_000_000


class Moment(StrEnum):
    """When, within one go at a step, its worker is killed."""

    BEFORE = "before its effect"
    AFTER = "after its effect"
    IN_COMMIT = "before the last statement of its commit"
    AT_COMMIT = "with everything written and nothing committed"


@contextmanager
def replaced(kind: str, step: Step, wrap: Callable[[StepFunction], StepFunction]) -> Iterator[None]:
    """Have `wrap(function)` run in place of a step's function."""
    pipeline = pipelines()[kind]
    if step is Step.UNDO:
        assert pipeline.on_undo is not None
        with patch.object(pipeline, "on_undo", wrap(pipeline.on_undo)):
            yield
    else:
        with patch.dict(pipeline.steps, {step: wrap(pipeline.steps[step])}):
            yield


@contextmanager
def killed(
    kind: str, step: Step, moment: Moment, *, times: int = 1, surely: bool = True
) -> Iterator[None]:
    """Kill the worker the next `times` it comes to this moment of the step.

    Not `surely`: it may also never come there.
    """
    left = times
    doomed: list[Run] = []  # the goes at this step that have begun

    def die(run: Run, now: Moment) -> None:
        nonlocal left
        if now is moment and left and run in doomed:
            left -= 1
            raise Killed

    def wrap(function: StepFunction) -> StepFunction:
        def step_function(run: Run) -> None:
            doomed.append(run)
            die(run, Moment.BEFORE)
            function(run)
            if not run.committed:
                die(run, Moment.AFTER)

        return step_function

    commit, write, step_done = Run.commit, Run.write, Run.step_done

    @contextmanager
    def deadly_commit(run: Run) -> Iterator[None]:
        die(run, Moment.AFTER)
        with commit(run):
            yield

    def deadly_write(run: Run, *args: Any, **values: Any) -> None:
        die(run, Moment.IN_COMMIT)
        write(run, *args, **values)
        die(run, Moment.AT_COMMIT)

    def deadly_step_done(run: Run) -> None:
        die(run, Moment.IN_COMMIT)
        step_done(run)
        die(run, Moment.AT_COMMIT)

    with ExitStack() as stack:
        stack.enter_context(replaced(kind, step, wrap))
        stack.enter_context(patch.object(Run, "commit", deadly_commit))
        stack.enter_context(patch.object(Run, "write", deadly_write))
        stack.enter_context(patch.object(Run, "step_done", deadly_step_done))
        yield
        assert left < times or not surely, f"nothing was killed at {kind}.{step}, {moment}"


@contextmanager
def failing(
    kind: str,
    step: Step,
    error: Exception,
    *,
    times: int = FOR_EVER,
    after_effect: bool = False,
) -> Iterator[None]:
    """Have the step raise `error` the next `times`, before its effect or after it."""
    left = times

    def wrap(function: StepFunction) -> StepFunction:
        def step_function(run: Run) -> None:
            nonlocal left
            if not left:
                return function(run)
            left -= 1
            if after_effect:
                function(run)
            raise error

        return step_function

    with replaced(kind, step, wrap):
        yield
        assert left < times, f"{kind}.{step} was never tried"


@contextmanager
def overtaken(engine: Engine, kind: str, step: Step, *, after_effect: bool) -> Iterator[None]:
    """Have the first worker at the step be so slow that others finish the operation meanwhile."""
    overtaken_once = False

    def wrap(function: StepFunction) -> StepFunction:
        def step_function(run: Run) -> None:
            nonlocal overtaken_once
            if overtaken_once:
                return function(run)
            overtaken_once = True
            if after_effect and step in (Step.PROVISION, Step.UNDO):
                function(run)
            engine.pass_time()
            engine.run()
            return function(run)

        return step_function

    with replaced(kind, step, wrap):
        yield
        assert overtaken_once


@contextmanager
def cancelled(kind: str, step: Step) -> Iterator[None]:
    """Have somebody cancel the operation while a worker is at the step."""

    def wrap(function: StepFunction) -> StepFunction:
        def step_function(run: Run) -> None:
            Operation.objects.filter(pk=run.operation.pk).update(cancel_requested=True)
            function(run)

        return step_function

    with replaced(kind, step, wrap):
        yield
