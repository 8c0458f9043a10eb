"""What a Celery worker does besides running steps; connected to its signals by the app config."""

import gc
import threading
import time
from contextlib import suppress
from typing import Any

from celery import signals
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from storage_project.logs import configure_logging
from storage_project.operations.lease import Node, release_dead_leases

TRUST_CONNECTION_S = 5.0


@signals.setup_logging.connect
def use_our_logging(**_: Any) -> None:
    """Keep Celery from setting up its own."""
    configure_logging()


@signals.celeryd_init.connect
def take_name(sender: str, **_: Any) -> None:
    """Hold leases under the node's name; the pool's children inherit it."""
    Node.name = sender


@signals.worker_ready.connect
def free_earlier_life(**_: Any) -> None:
    """A worker that starts frees what its own earlier life held when it died."""
    release_dead_leases(Node.name)


@signals.worker_process_init.connect
def start_child(**_: Any) -> None:
    """A pool child frees what the child before it held when that was killed."""
    # What was loaded stays loaded: neither copied by, nor looked at in, every collection.
    gc.freeze()
    # Most of what a step makes is gone when it ends; looking for circles in it all the time is not
    # worth it.
    gc.set_threshold(20_000, 20, 50)
    # Without the database now, those leases run out by themselves.
    with suppress(DatabaseError, InterfaceError):
        release_dead_leases(Node.name)


_connection_checks = threading.local()


@signals.task_prerun.connect
def drop_dead_connections(**_: Any) -> None:
    """Because CELERY_DB_REUSE_MAX keeps connections: without this, none ever comes back.

    The check costs a query, so a connection that has just served a task is trusted, unless that
    task met an error on it.
    """
    now = time.monotonic()
    last = getattr(_connection_checks, "at", float("-inf"))
    if connection.errors_occurred or now - last > TRUST_CONNECTION_S:
        close_old_connections()
        _connection_checks.at = now
