"""Mending the index of a repository: all that it says stands in the packs, too. So whoever finds
that it is damaged, or does not know something, makes it anew and goes on.
"""

from collections.abc import Callable
from typing import TypeVar

import structlog

from backups.contents import open_contents
from backups.engine.repository import Repository
from backups.engine.scan import index_lacks_something, rebuild_index
from drivers.errors import DriverError, Reason
from storage_project.operations.run import Run

log = structlog.get_logger(__name__)

Result = TypeVar("Result")


def with_whole_index(name: str, act: Callable[[Repository], Result], run: Run) -> Result:
    """Do something with what is in a repository; once more, if it fails for the index."""
    repository = open_contents(name)
    try:
        return act(repository)
    except DriverError as error:
        if error.code != Reason.corrupt or not mend_index(repository, run):
            raise
    return act(repository)


def mend_index(repository: Repository, run: Run) -> bool:
    """Make the index anew if that may help; tell whether it was."""
    if not index_lacks_something(repository):
        return False
    renew_index(repository, run)
    return True


def renew_index(repository: Repository, run: Run) -> None:
    """Make the index anew from what the packs say of themselves."""
    name = repository.driver.name
    log.warning("the index of a repository is made anew", repository=name)
    result = rebuild_index(repository, tick=counting(run, "makes the index anew"))
    log.warning(
        "the index of a repository was made anew",
        repository=name,
        packs=result.packs,
        unreadable=[error.detail for error in result.unreadable],
    )


def counting(run: Run, phase: str) -> Callable[[], None]:
    """A tick that shows that the work goes on, and stops it when it should not."""
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        run.progress(run.operation.progress_bytes, phase=f"{phase}: {count:,}")
        run.keep_going()

    return tick
