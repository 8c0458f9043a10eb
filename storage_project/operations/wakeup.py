"""Waking the dispatcher at commit, so that nobody waits for its next look at the table.

On PostgreSQL by NOTIFY, which reaches every host. On SQLite, which is one machine, by a datagram to
an abstract socket named after the home folder. A lost wake-up costs a second: the dispatcher looks
by itself.
"""

import select
import socket
from contextlib import suppress
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.db import connection, transaction

CHANNEL = "khoi_operations"


def ring_the_dispatcher() -> None:
    """Wake the dispatcher once the current transaction is committed (or now, outside of one)."""
    if connection.vendor == "postgresql":
        # Part of the transaction: PostgreSQL delivers it when, and only when, that commits.
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")
    else:
        transaction.on_commit(_send_datagram)


def _address() -> str:
    """An abstract socket: nothing to clean up, and no limit on the length of the folder's name."""
    return "\0khoi-dispatch-" + sha256(str(settings.STORAGE_HOME).encode()).hexdigest()[:32]


def _send_datagram() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        # No dispatcher listens, or it has wake-ups enough: it looks every second anyway.
        with suppress(ConnectionRefusedError, BlockingIOError):
            sender.sendto(b".", _address())


class Wakeups:
    """The dispatcher's end: `wait()` returns at a wake-up, or after `timeout_s`."""

    def __init__(self) -> None:
        self._listening_on: Any = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        if connection.vendor != "postgresql":
            self._socket.bind(_address())

    def wait(self, timeout_s: float) -> None:
        """Sleep until something was committed, at most `timeout_s`."""
        if connection.vendor == "postgresql":
            with connection.wrap_database_errors:
                self._wait_for_notify(timeout_s)
        elif select.select([self._socket], [], [], timeout_s)[0]:
            self._drain()

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            while True:
                self._socket.recv(16)

    def _wait_for_notify(self, timeout_s: float) -> None:
        connection.ensure_connection()
        raw: Any = connection.connection
        if raw is not self._listening_on:  # a new connection, after the server was away
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            self._listening_on = raw
            return  # something may have been committed before the LISTEN
        if not raw.notifies:
            select.select([raw], [], [], timeout_s)
        raw.poll()
        raw.notifies.clear()
