"""Several things at once, each in a thread with a database connection of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connections


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Do all of them at the same time; return what each returned or raised, in their order."""
    start = Barrier(len(acts))

    def do(act: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as threads:
        futures = [threads.submit(do, act) for act in acts]
    return [future.exception() or future.result() for future in futures]
