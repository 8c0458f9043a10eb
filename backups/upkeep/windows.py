"""Looking at a backup a few pages at a time, so that who is killed need not begin anew."""

from collections.abc import Iterator

from backups.engine.manifest import Manifest
from storage_project.operations.run import Run


def windows(manifest: Manifest, run: Run, pages_at_once: int) -> Iterator[range]:
    """The pages that are still to be looked at; each time the next are asked for, those before are
    noted as done, with all other notes."""
    count = len(manifest.pages)
    for start in range(run.notes.get("pages_done", 0), count, pages_at_once):
        pages = range(start, min(start + pages_at_once, count))
        yield pages
        if pages.stop < count:
            with run.checkpoint():
                run.notes["pages_done"] = pages.stop
