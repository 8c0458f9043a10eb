"""Which queue a step goes to: short work on `control`, placed work where the operation says."""

from typing import Any

from storage_project.operations.models import Operation
from storage_project.operations.states import CONTROL_QUEUE, PLACED


def route_step(
    name: str, args: tuple[Any, ...], kwargs: Any, options: Any, task: Any = None, **_: Any
) -> dict[str, str]:
    """Celery's router: asked as each message is sent, so a step goes where schedule has put it."""
    if name.rpartition(".")[2] not in PLACED or not args:
        return {"queue": CONTROL_QUEUE}
    queue = Operation.objects.filter(pk=args[0]).values_list("provision_queue", flat=True).first()
    return {"queue": queue or CONTROL_QUEUE}
