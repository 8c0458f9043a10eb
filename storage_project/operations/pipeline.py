"""A pipeline: the four functions, and the ways back, of one kind of request.

Each lives in one file, so that what happens when a volume is created can be read from top to bottom
in `volumes/pipelines/create.py`:

    pipeline = Pipeline("volume.create", model=Volume)

    @pipeline.validate
    def validate(run: Run) -> None: ...
    @pipeline.schedule
    def schedule(run: Run) -> None: ...
    @pipeline.provision
    def provision(run: Run) -> None: ...
    @pipeline.report
    def report(run: Run) -> None: ...

A step may be delivered zero, one or many times, and be killed at any instruction. So its effect on
the outside must be idempotent, keyed by the resource's id, and what it writes to the database goes
inside `with run.commit():`, which is one transaction guarded by the fence.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

from storage_project.operations.messages import StepError
from storage_project.operations.models import Operation
from storage_project.operations.run import Run
from storage_project.operations.states import STEPS, Step

StepFunction = Callable[[Run], None]
FailedFunction = Callable[[Run, StepError], None]
FallThroughFunction = Callable[[Run, StepError], StepError | None]


@dataclass(eq=False)
class Pipeline:
    """One kind of operation on rows of `model`.

    One that is not `exclusive` only reads its resource: others may begin on that meanwhile.
    One with an `undo` may be cancelled at any time, one without until its provision has begun.
    `time_limit_s`: how long one step may run before its worker's process is killed and it is tried
    again; where threads do the work, only hung work is given up (see `lease`).
    `max_attempts`: how often a step is tried, counting the tries that died with their worker.
    """

    kind: str
    model: type[models.Model]
    exclusive: bool = True
    time_limit_s: int | None = 300
    max_attempts: int = 8
    steps: dict[Step, StepFunction] = field(default_factory=dict)
    on_undo: StepFunction | None = None
    on_fall_through: FallThroughFunction | None = None
    on_failed: FailedFunction | None = None

    def validate(self, function: StepFunction) -> StepFunction:
        """Control queue: check what may have changed since the request was accepted."""
        return self._add(Step.VALIDATE, function)

    def schedule(self, function: StepFunction) -> StepFunction:
        """Control queue: choose where, reserve the room there, and set `provision_queue`."""
        return self._add(Step.SCHEDULE, function)

    def provision(self, function: StepFunction) -> StepFunction:
        """Where the resource is: do it, idempotently, outside any transaction."""
        return self._add(Step.PROVISION, function)

    def report(self, function: StepFunction) -> StepFunction:
        """Control queue: settle quota and set the final status."""
        return self._add(Step.REPORT, function)

    def undo(self, function: StepFunction) -> StepFunction:
        """Where the resource is: take back what provision may have done. Idempotent."""
        self.on_undo = function
        return function

    def fall_through(self, function: FallThroughFunction) -> FallThroughFunction:
        """In a transaction, with everything taken back: reserve the next candidate and return
        None, or write nothing and return the error that tells why there is none."""
        self.on_fall_through = function
        return function

    def failed(self, function: FailedFunction) -> FailedFunction:
        """In the last transaction of a failed or cancelled operation: set the failed status."""
        self.on_failed = function
        return function

    def begun(self, step: str, earlier_claims: int) -> bool:
        """Whether the backend may have done something, by claims before the current one."""
        return step in (Step.REPORT, Step.UNDO) or (step == Step.PROVISION and earlier_claims > 0)

    def may_cancel(self, step: str, earlier_claims: int) -> bool:
        """Whether a cancel is honoured at this point."""
        return self.on_undo is not None or not self.begun(step, earlier_claims)

    def _add(self, step: Step, function: StepFunction) -> StepFunction:
        self.steps[step] = function
        return function

    def take_up(self, operation: Operation) -> Run:
        """A worker's go at an operation that it has claimed."""
        return Run(operation, self.model._default_manager.all())

    def task_name(self, step: Step | str) -> str:
        """The name of the Celery task of `step`, as Flower shows it."""
        return f"{self.kind}.{step}"

    def check(self) -> None:
        """Raise `ImproperlyConfigured` unless the pipeline is whole."""
        missing = [str(step) for step in STEPS if step not in self.steps]
        if self.on_failed is None:
            missing.append("failed")
        if missing:
            raise ImproperlyConfigured(f"The pipeline {self.kind} lacks: {', '.join(missing)}.")


@cache
def pipelines() -> dict[str, Pipeline]:
    """All pipelines by kind: the modules in `settings.PIPELINES`, each with a `pipeline` in it."""
    found = [import_module(path).pipeline for path in settings.PIPELINES]
    for pipeline in found:
        pipeline.check()
    return {pipeline.kind: pipeline for pipeline in found}
