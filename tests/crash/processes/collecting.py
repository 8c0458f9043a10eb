"""A collector as another machine would run it, without a pause and without the day of grace: what
nothing needs goes at once, so that a block that is freed too early is missed here."""

import time
from datetime import timedelta

from backups.contents import open_contents
from backups.engine.collect import collect
from backups.sessions import LeasedSessions

PAUSE_S = 0.1


def collect_once(repository: str) -> int:
    """Return how many packs went, and how many wait to go."""
    sessions = LeasedSessions(repository)
    result = collect(open_contents(repository), sessions, grace=timedelta(0))
    return result.deleted_packs + result.marked_packs + result.waiting_packs


def collect_for_ever(repository: str) -> None:
    while True:
        collect_once(repository)
        time.sleep(PAUSE_S)


def collect_all(repository: str) -> None:
    """Collect until there is nothing more to do."""
    while collect_once(repository):
        pass
