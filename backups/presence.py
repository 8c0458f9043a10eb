"""What a worker that copies does besides: it tells which repositories it reaches, and frees what no
backup in them needs any more.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from celery import signals
from django.conf import settings

from backups.contents import free_space, open_contents
from backups.repositories import open_repository, report_repository
from drivers.errors import DriverError
from storage_project.config import configuration
from storage_project.operations.states import DATA_QUEUES
from volumes.presence import keep_telling

# How long a repository is left alone after it has been collected.
COLLECT_EVERY_S = 3600.0

log = structlog.get_logger(__name__)


@signals.worker_ready.connect
def start_telling(sender: Any, **_: Any) -> None:
    """Begin, once the worker takes messages, if those are for copies on this machine."""
    queues = {queue.name for queue in sender.task_consumer.queues}
    if DATA_QUEUES + settings.STORAGE_HOST in queues:
        for name in configuration().repositories:
            keep_telling(_reporter(name))
            keep_telling(partial(_collect, name), every_s=COLLECT_EVERY_S)


def _collect(name: str) -> None:
    log.info("a repository was collected", repository=name, result=str(free_space(name)))


def _reporter(name: str) -> Callable[[], None]:
    checked = False

    def report() -> None:
        nonlocal checked
        try:
            if not checked:
                open_repository(name).check()
                open_contents(name)
                checked = True
        except DriverError as error:
            # Somebody must look at it, so it says what is wrong instead of falling silent.
            report_repository(name, down_reason=f"{error.sentence} {error.detail}".strip())
            raise
        report_repository(name)

    return report
