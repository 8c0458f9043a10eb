"""All that is known of a backup besides its content, as a document: kept in the repository beside
the content, and what an exported record is.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

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
TEXTS = ("name", "description")


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


def columns_of(document: Any) -> dict[str, Any]:
    """The columns of a backup with this document. Raises `ValueError` unless each is what it must
    be."""
    try:
        values = {column: document[column] for column in COLUMNS}
        values |= {"id": UUID(document["id"]), "volume_id": UUID(document["volume_id"])}
        for column in ("snapshot_id", "parent_id"):
            values[column] = document[column] and UUID(document[column])
        values["data_timestamp"] = datetime.fromisoformat(document["data_timestamp"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None
    whole = (
        _is_text(values["container"], 255)
        and _is_text(values["domain"], 64)
        and all(values[each] is None or _is_text(values[each], 255) for each in TEXTS)
        and type(values["size_gib"]) is int
        and 0 < values["size_gib"] < 2**31
        and values["data_timestamp"].tzinfo is not None
        and type(values["volume_properties"]) is dict
        and type(values["metadata"]) is dict
        and all(isinstance(each, str) for each in values["metadata"].values())
    )
    if not whole:
        raise ValueError("not the document of a backup")
    return values


def _is_text(value: object, most: int) -> bool:
    return isinstance(value, str) and len(value) <= most and "\0" not in value
