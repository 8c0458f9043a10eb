"""`make bench`: everything that is measured, each part on fresh real processes, in one run.

python -m tests.benchmarks [pipelines | http | memory | exports | attach | copies | backup-engine |
                            backups]
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import django

from tests.benchmarks import backup_engine, backups, copies, exports, memory
from tests.benchmarks.report import Report
from tests.postgres import PostgresServer
from tests.stack import Stack, file_backends

PARTS = ("pipelines", "http", "memory", "exports", "attach", "copies", "backup-engine", "backups")
MEMORY_BACKEND = '\n[backends.memory]\ndriver = "memory"\ncapacity_gib = 1000000\n'
HYPERVISOR = '\n[hypervisors.lab]\ndriver = "qemu"\nsockets = "servers"\n'
FILE_BACKEND = file_backends("fast", exports=["nbd"], max_over_subscription_ratio=1e6)
CONFIGURATION = FILE_BACKEND + MEMORY_BACKEND + HYPERVISOR


def main(wanted: list[str]) -> int:
    """Run one part here, or every part in a process of its own; 1 when a bound was missed."""
    if not wanted:
        parts = [[sys.executable, "-m", "tests.benchmarks", part] for part in PARTS]
        return max(subprocess.run(part, check=False).returncode for part in parts)
    report = Report()
    for part in wanted:
        with tempfile.TemporaryDirectory(prefix="khoi-bench-") as folder:
            if part == "memory":
                memory.measure(Path(folder), report)
            elif part == "exports":
                exports.measure(Path(folder), report)
            elif part == "copies":
                copies.measure(Path(folder), report)
            elif part == "backup-engine":
                backup_engine.measure(Path(folder), report)
            elif part == "backups":
                backups.measure(Path(folder), report)
            else:
                measure_on_stack(part, Path(folder), report)
    if report.missed:
        report.title(f"Missed: {'; '.join(report.missed)}")
    return 1 if report.missed else 0


def measure_on_stack(part: str, folder: Path, report: Report) -> None:
    """A part that needs PostgreSQL, a broker, and this process as a part of the stack."""
    with PostgresServer() as server:
        stack = Stack(folder, database_url=server.url, configuration=CONFIGURATION)
        os.environ.update(stack.environment)
        django.setup()
        from tests.benchmarks import attach, http, pipelines  # noqa: PLC0415 - models need settings

        with stack:
            {"attach": attach, "http": http, "pipelines": pipelines}[part].measure(stack, report)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
