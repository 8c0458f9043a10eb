"""Reading the tables of our documents, so that tests can hold them against the code."""

import re
from pathlib import Path

DOCUMENTS = Path(__file__).parents[2] / "docs"
CODE = re.compile(r"`([^`]+)`")


def read_table(document: str, heading: str) -> dict[str, list[str]]:
    """The table whose first column is headed `heading`: its first cells, with the others beside.

    Code in a first cell counts without its backticks.
    """
    text = (DOCUMENTS / document).read_text()
    found = re.search(
        rf"^\| {re.escape(heading)} \|.*\n\|[- |]+\|\n((?:\|.*\n)+)", text, re.MULTILINE
    )
    assert found, f"{document} has no table of each {heading}"
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in found[1].splitlines()
    ]
    return {first.strip("`"): rest for first, *rest in rows}


def words(cell: str) -> set[str]:
    """What stands in backticks."""
    return set(CODE.findall(cell))
