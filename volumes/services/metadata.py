"""The key-value pairs that users keep with a volume or a snapshot."""

from collections.abc import Mapping

from django.db import transaction

from storage_project.api.faults import NotFound, PreconditionFailed
from volumes.models import Snapshot, Volume
from volumes.services.rows import change_row, lock_row

# The statuses in which the pairs stay as they are.
FROZEN = ("maintenance", "uploading")


def set_metadata(
    *,
    row: Volume | Snapshot,
    metadata: Mapping[str, str],
    replace: bool,
    seen: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Add to a row's metadata, or replace all of it; return what it is then.

    Raises `PreconditionFailed` when it is not, before that, what the caller has `seen`.
    """
    with transaction.atomic():
        current = lock_row(row).metadata
        if seen is not None and current != seen:
            raise PreconditionFailed(
                f"The metadata of {row.flow.resource} {row.pk} has changed meanwhile."
            )
        after = dict(metadata) if replace else current | dict(metadata)
        change_row(row, "change the metadata of", unless=FROZEN, metadata=after)
    return after


def delete_metadata(*, row: Volume | Snapshot, key: str) -> None:
    """Delete one key of a row's metadata; 404 when it has none of that name."""
    with transaction.atomic():
        current = lock_row(row).metadata
        if current.pop(key, None) is None:
            raise NotFound("Metadata item", key)
        change_row(row, "change the metadata of", unless=FROZEN, metadata=current)
