"""Waiting for a service until it does its work; each of these runs in a process of its own."""

import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from storage_project.celery import app

PATIENCE_S = 60.0
PAUSE_S = 0.05


def patiently(works: Callable[[], bool]) -> None:
    """Return once `works()`; end the process with a failure after a minute."""
    deadline = time.monotonic() + PATIENCE_S
    while not works():
        if time.monotonic() > deadline:
            sys.exit(1)
        time.sleep(PAUSE_S)


def wait_for_page(url: str) -> None:
    """Wait until a page is served."""

    def served() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own address
                return bool(answer.status == 200)
        except (OSError, urllib.error.HTTPError):
            return False

    patiently(served)


def wait_for_worker(node: str) -> None:
    """Wait until a Celery worker answers a ping through the broker."""
    patiently(lambda: bool(app.control.ping(destination=[node], timeout=0.25, limit=1)))
