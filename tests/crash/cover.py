"""Long tables of cases, dealt out over the runs of `make test`: each case runs once.

What a case proves is the same on both databases and with every driver of a kind, and each of these
has tests of its own. So a table need not be run whole on each: it is dealt out like cards, and
whoever is next to a case, in any direction of the table, runs elsewhere.
"""

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any

from django.conf import settings

DATABASES = ("sqlite3", "postgresql")
HERE = settings.DATABASES["default"]["ENGINE"].rpartition(".")[2]


def numbered(*axes: Iterable[Any]) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """All combinations, each with the number by which it is dealt."""
    for cells in product(*map(enumerate, axes)):
        yield sum(index for index, _ in cells), tuple(value for _, value in cells)


def dealt(*axes: Iterable[Any]) -> list[tuple[Any, ...]]:
    """The combinations that are for this database; the others are for the other one."""
    turn = DATABASES.index(HERE)
    return [cells for number, cells in numbered(*axes) if number % len(DATABASES) == turn]
