"""`make bench`: everything that is measured, on PostgreSQL, in one run.

python -m tests.benchmarks [pipelines | http | memory]
"""

import os
import sys
import tempfile
from pathlib import Path

import django

from tests.benchmarks.report import Report
from tests.postgres import PostgresServer
from tests.stack import Stack, file_backends

CONFIGURATION = (
    file_backends("fast", "slow")
    + '\n[backends.memory]\ndriver = "memory"\n'
    + ("capacity_gib = 1000000\n")
)


def main(wanted: list[str]) -> int:
    report = Report()
    with PostgresServer() as server, tempfile.TemporaryDirectory(prefix="khoi-bench-") as folder:
        stack = Stack(
            Path(folder),
            database_url=server.url,
            configuration=CONFIGURATION,
        )
        os.environ.update(stack.environment)
        django.setup()
        from tests.benchmarks import pipelines  # noqa: PLC0415 - models need a configured Django

        with stack:
            if not wanted or "pipelines" in wanted:
                report.title("Pipelines, PostgreSQL")
                pipelines.measure(stack, report)
    if report.missed:
        report.title(f"Missed: {'; '.join(report.missed)}")
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
