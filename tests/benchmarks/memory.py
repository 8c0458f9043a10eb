"""What `up` holds while it idles: the sum of the proportional set sizes of all its processes."""

from pathlib import Path

from tests.benchmarks.report import Report
from tests.processes import pss_mib
from tests.stack import wait_until
from tests.supervisor.running import Up

AT_MOST_MIB = 600


def measure(home: Path, report: Report) -> None:
    """Run `manage.py up` in a home of its own, with the default configuration, until it serves."""
    up = Up(home, DATABASE_URL="", BROKER_URL="", STORAGE_CONFIG="")
    try:
        up.wait_until_up()
        sizes: list[float] = []
        wait_until(lambda: _has_settled(up, sizes), "the memory to settle")
        processes = len(up.tree())
    finally:
        up.end()
    report.title("Memory of `up`: SQLite, embedded Valkey, the default configuration")
    report.line("processes", str(processes))
    report.figure("sum of PSS, idle", sizes[-1], "MiB", at_most=AT_MOST_MIB)


def _has_settled(up: Up, sizes: list[float]) -> bool:
    """Whether the last looks agree to a MiB."""
    sizes.append(pss_mib(up.tree()))
    return len(sizes) > 20 and max(sizes[-20:]) - min(sizes[-20:]) < 1
