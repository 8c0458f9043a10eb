"""What a worker that copies does besides: it tells which repositories it reaches and what is in
them, and begins what is due there.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from celery import signals
from django.conf import settings

from backups.contents import open_contents
from backups.repositories import open_repository, report_repository
from backups.services.repositories import begin_what_is_due
from backups.upkeep.figures import measure_if_due
from backups.upkeep.trials import forget_scratches
from drivers.errors import DriverError
from storage_project.config import configuration
from storage_project.operations.states import DATA_QUEUES
from volumes.presence import keep_telling

# How often is looked whether a repository is to be measured, or something is due there.
LOOK_EVERY_S = 30.0
# How often what killed tests left behind is looked for.
FORGET_EVERY_S = 3600.0

log = structlog.get_logger(__name__)


@signals.worker_ready.connect
def start_telling(sender: Any, **_: Any) -> None:
    """Begin, once the worker takes messages, if those are for copies on this machine."""
    queues = {queue.name for queue in sender.task_consumer.queues}
    if DATA_QUEUES + settings.STORAGE_HOST in queues:
        for name in configuration().repositories:
            keep_telling(_reporter(name))
            keep_telling(partial(begin_what_is_due, name), every_s=LOOK_EVERY_S)
            keep_telling(partial(measure_if_due, name), every_s=LOOK_EVERY_S)
        keep_telling(forget_scratches, every_s=FORGET_EVERY_S)


def _reporter(name: str) -> Callable[[], None]:
    checked = False

    def report() -> None:
        nonlocal checked
        try:
            repository = open_repository(name)
            if not checked:
                repository.check()
                open_contents(name)
                checked = True
            # Whether it still answers; a listing waits for no bounds.
            next(repository.list_objects("keys/"), None)
        except DriverError as error:
            # Somebody must look at it, so it says what is wrong instead of falling silent.
            report_repository(name, down_reason=f"{error.sentence} {error.detail}".strip())
            raise
        report_repository(name)

    return report
