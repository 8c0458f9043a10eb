"""All that is known of a backup besides its content, as a document: kept in the repository beside
the content, and what an exported record is.
"""

from typing import Any

from backups.models import Backup

COLUMNS = (
    "name",
    "description",
    "size_gib",
    "metadata",
    "volume_properties",
    "container",
    "domain",
)
IDS = ("volume_id", "snapshot_id", "parent_id")


def document_of(backup: Backup) -> dict[str, Any]:
    """The document of a backup, ready for JSON."""
    taken_at = backup.data_timestamp
    return {
        "id": str(backup.pk),
        **{column: getattr(backup, column) for column in COLUMNS},
        **{column: _text(getattr(backup, column)) for column in IDS},
        "data_timestamp": taken_at.isoformat() if taken_at else None,
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)
