"""Looks at processes from outside, as the kernel shows them."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def is_running(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    stat = _stat(pid)
    return stat is not None and stat[0] not in "ZX"


def children(pid: int) -> dict[int, str]:
    """The running children of a process, with their names."""
    return {child: _name(child) for child in _family()[pid]}


def descendants(pid: int) -> set[int]:
    """The children of a process, theirs, and so on."""
    family = _family()
    found: set[int] = set()
    new = set(family[pid])
    while new:
        found |= new
        new = {grandchild for child in new for grandchild in family[child]} - found
    return found


def pss_mib(pids: Iterable[int]) -> float:
    """The memory that processes cost together: a page that n of them share counts once."""
    total_kib = 0
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total_kib += int(line.split()[1])
    return total_kib / 1024


def _family() -> defaultdict[int, list[int]]:
    family: defaultdict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (stat := _stat(int(entry.name))) and stat[0] not in "ZX":
            family[int(stat[1])].append(int(entry.name))
    return family


def _stat(pid: int) -> list[str] | None:
    """The fields from the state on: those before it may hold spaces."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
