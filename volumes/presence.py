"""What a worker tells about itself while it lives: its heartbeat, how its backends stand, and which
servers its hypervisors have.

Threads in the worker's main process, so that a backend whose driver hangs stops being reported
without its neighbours' heartbeats stopping too.
"""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from celery import signals
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections

from drivers.errors import ConfigurationError, DriverError
from storage_project.config import DEFAULT_AVAILABILITY_ZONE, configuration
from storage_project.operations.states import CONTROL_QUEUE
from volumes.backends import BINARY, host_of, open_backend, report_backend
from volumes.hypervisors import compute_queue, report_hypervisor
from volumes.pools import beat

BEAT_EVERY_S = 10.0
REPORT_EVERY_S = 20.0
LOOK_AT_SERVERS_EVERY_S = 3.0
SCHEDULER_BINARY = "cinder-scheduler"

log = structlog.get_logger(__name__)
stopping = threading.Event()


@signals.celeryd_init.connect
def require_configuration(**_: Any) -> None:
    """Refuse to start with a file that is wrong."""
    try:
        configuration()
    except ConfigurationError as error:
        raise SystemExit(f"{settings.STORAGE_CONFIG}: {error}") from error


@signals.worker_ready.connect
def start_telling(sender: Any, **_: Any) -> None:
    """Begin, once the worker takes messages, with what its queues say that it serves."""
    queues = {queue.name for queue in sender.task_consumer.queues}
    backends = [name for name in configuration().backends if f"volume.{host_of(name)}" in queues]
    if CONTROL_QUEUE in queues:
        keep_telling(
            lambda: beat(SCHEDULER_BINARY, settings.STORAGE_HOST, DEFAULT_AVAILABILITY_ZONE)
        )
    for name in backends:
        keep_telling(partial(_beat_backend, name))
        keep_telling(_reporter(name), every_s=REPORT_EVERY_S)
    if compute_queue(settings.STORAGE_HOST) in queues:
        for name in configuration().hypervisors:
            keep_telling(partial(report_hypervisor, name), every_s=LOOK_AT_SERVERS_EVERY_S)


@signals.worker_shutdown.connect
def stop_telling(**_: Any) -> None:
    stopping.set()


def _beat_backend(name: str) -> None:
    beat(BINARY, host_of(name), configuration().backends[name].availability_zone)


def _reporter(name: str) -> Callable[[], None]:
    checked = False

    def report() -> None:
        nonlocal checked
        if not checked:
            open_backend(name).check()
            checked = True
        report_backend(name)

    return report


def keep_telling(act: Callable[[], object], *, every_s: float = BEAT_EVERY_S) -> None:
    """Act at once and again and again, until the worker ends."""
    threading.Thread(target=_repeat, args=(act, every_s), daemon=True).start()


def _repeat(act: Callable[[], object], every_s: float) -> None:
    while True:
        close_old_connections()
        try:
            act()
        except DriverError as error:
            log.warning("it cannot tell how it stands", error=error.sentence, detail=error.detail)
        except (DatabaseError, InterfaceError) as error:
            log.warning("the database is away", error=str(error))
        if stopping.wait(every_s):
            return
