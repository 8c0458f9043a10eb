"""Ranges of a volume that are lost, as operations keep them: all of them counted, some named."""

from collections.abc import Iterable
from typing import Any

from drivers.units import shown_bytes
from drivers.volume.base import Extent

MOST_NAMED = 1000


def no_bad_ranges() -> dict[str, Any]:
    """Where nothing is lost yet; ready for JSON."""
    return {"damaged_bytes": 0, "damaged_count": 0, "damaged_ranges": []}


def add_bad_ranges(known: dict[str, Any], extents: Iterable[Extent]) -> None:
    """Add ranges behind those that are known."""
    for extent in extents:
        known["damaged_bytes"] += extent.length
        known["damaged_count"] += 1
        if len(known["damaged_ranges"]) < MOST_NAMED:
            known["damaged_ranges"].append({"offset": extent.offset, "length": extent.length})


def sentence_of(known: dict[str, Any]) -> str:
    """How much is lost, and where it begins."""
    count, first = known["damaged_count"], known["damaged_ranges"][0]["offset"]
    size = shown_bytes(known["damaged_bytes"])
    if count == 1:
        return f"{size} are lost, at {first:,}."
    return f"{size} in {count:,} ranges are lost, the first at {first:,}."
