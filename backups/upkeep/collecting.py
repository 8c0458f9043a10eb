"""Freeing what no backup needs any more."""

from dataclasses import asdict

from backups.engine.collect import collect
from backups.sessions import LeasedSessions
from backups.upkeep.mending import counting, with_whole_index
from storage_project.operations.run import Run


def free_space(name: str, run: Run) -> None:
    """Free what was listed long enough ago, and list what may be freed next time. Any number may do
    so at once, while backups go on."""
    sessions = LeasedSessions(name)
    sessions.forget_lapsed()
    tick = counting(run, "looks for what no backup needs")
    result = with_whole_index(name, lambda contents: collect(contents, sessions, tick=tick), run)
    run.notes["result"] = asdict(result)
