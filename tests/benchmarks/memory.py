"""What `up` holds while it idles: the sum of the proportional set sizes of all its processes."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.benchmarks.report import Report
from tests.stack import ROOT, free_port, wait_until

AT_MOST_MIB = 600


def measure(home: Path, report: Report) -> None:
    """Run `manage.py up` in a home of its own, with the default configuration, until it serves."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "BROKER_URL", "STORAGE_CONFIG")
    } | {
        "STORAGE_HOME": str(home),
        "STORAGE_PORT": str(free_port()),
        "FLOWER_PORT": str(free_port()),
    }
    with subprocess.Popen(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as up:
        assert up.stdout is not None
        try:
            # It prints where to look when everything runs.
            for line in up.stdout:
                if "Flower" in line:
                    break
            sizes: list[float] = []
            wait_until(lambda: _has_settled(up.pid, sizes), "the memory to settle")
            processes = len(_family(up.pid))
        finally:
            up.send_signal(signal.SIGTERM)
    report.title("Memory of `up`: SQLite, embedded Valkey, the default configuration")
    report.line("processes", str(processes))
    report.figure("sum of PSS, idle", sizes[-1], "MiB", at_most=AT_MOST_MIB)


def _has_settled(pid: int, sizes: list[float]) -> bool:
    """Whether the last looks agree to a MiB."""
    sizes.append(sum(_pss_mib(each) for each in _family(pid)))
    return len(sizes) > 20 and max(sizes[-20:]) - min(sizes[-20:]) < 1


def _family(pid: int) -> list[int]:
    """A process and everything below it."""
    below = []
    with suppress(FileNotFoundError, ProcessLookupError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        below = [each for child in children for each in _family(int(child))]
    return [pid, *below]


def _pss_mib(pid: int) -> float:
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0
