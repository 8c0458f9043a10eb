"""The Celery tasks: for every pipeline its four steps and its undo, under their own names.

A message carries the operation's id and nothing else. The tasks of one operation are sent as a
chain, each to its own queue: short work to `control`, placed work to where the operation says. A
copy of the chain that finds nothing to do ends there, quietly.
"""

from typing import Any

from celery import Task, chain, shared_task
from celery.canvas import Signature

from storage_project.operations.models import Operation
from storage_project.operations.pipeline import Pipeline, pipelines
from storage_project.operations.runner import Outcome, run_step
from storage_project.operations.states import (
    CONTROL_QUEUE,
    PLACED,
    STEPS,
    Step,
)


class OperationFailed(Exception):  # noqa: N818 - Flower shows the name
    """The operation has ended without success; its row and its message say why."""


def _register(pipeline: Pipeline, step: Step) -> Task:
    def deliver(self: Task, operation_id: str) -> str:
        came_by = self.request.delivery_info.get("routing_key")
        outcome, queue = run_step(operation_id, step, queue=came_by)
        if outcome in (Outcome.FAILED, Outcome.CANCELLED):
            raise OperationFailed(f"operation {operation_id} {outcome}")
        if outcome is not Outcome.DONE:
            self.request.chain = None  # what comes next is rung anew, when its time has come
        elif step is Step.SCHEDULE:
            # Only now is it known where provision runs. The next link is the last of the list.
            self.request.chain[-1]["options"]["queue"] = queue
        return outcome

    deliver.__doc__ = f"{step} of {pipeline.kind}"
    task: Task = shared_task(
        bind=True,
        name=pipeline.task_name(step),
        throws=(OperationFailed,),
        time_limit=pipeline.time_limit_s,
    )(deliver)
    return task


TASKS: dict[str, Task] = {
    pipeline.task_name(step): _register(pipeline, step)
    for pipeline in pipelines().values()
    for step in (*STEPS, *((Step.UNDO,) if pipeline.on_undo else ()))
}


def chain_of(operation: Operation) -> Signature:
    """The steps that `operation` has yet to take, as a Celery chain; an undo stands alone."""
    steps: tuple[Any, ...] = (
        (Step.UNDO,) if operation.step == Step.UNDO else STEPS[STEPS.index(Step(operation.step)) :]
    )
    return chain(
        *(
            TASKS[f"{operation.kind}.{step}"]
            .si(str(operation.pk))
            .set(queue=operation.provision_queue if step in PLACED else CONTROL_QUEUE)
            for step in steps
        )
    )
