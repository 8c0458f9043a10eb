"""How fast volumes become reachable, and how fast all of a host's do after its daemon has died."""

import os
import signal
import statistics
import time
from pathlib import Path
from uuid import uuid4

from drivers.export.base import Connector, Export
from drivers.export.iscsi import IscsiExport
from drivers.export.nbd import NbdExport
from drivers.export.supervised import SupervisedExport
from drivers.units import GIB
from tests.benchmarks.report import Report
from tests.contracts.export_driver import daemons_below, tended
from tests.stack import free_port

HOST = "host-a"
EXPORTS = 200
RESTORED_AT_MOST_S = 2.0


def measure(folder: Path, report: Report) -> None:
    nbd = NbdExport(NbdExport.Options(), name="nbd", home=folder)
    iscsi = IscsiExport(IscsiExport.Options(portal_port=free_port()), name="iscsi", home=folder)
    report.title(f"{EXPORTS} exports to one host, each of a volume of its own")
    measure_driver(nbd, folder, report)
    measure_driver(iscsi, folder, report)


def measure_driver(driver: SupervisedExport, folder: Path, report: Report) -> None:
    driver.check()
    exports = [_export(folder) for _ in range(EXPORTS)]
    with tended(driver, [HOST]):
        driver.publish(exports[0])  # which has to wait for the daemon
        took_s = [_took_s(driver, export) for export in exports[1:]]
        report.line(
            f"{driver.protocol}: publish one, p50 and the longest",
            f"{statistics.median(took_s) * 1000:.1f} ms, {max(took_s) * 1000:.1f} ms",
        )
        for daemon in daemons_below(folder / "exports" / driver.name):
            os.kill(daemon, signal.SIGKILL)
        restored_s = sum(_took_s(driver, export) for export in exports)
        report.bound(
            f"{driver.protocol}: all restored after a kill -9 of the daemon",
            f"{restored_s:.2f} s",
            restored_s <= RESTORED_AT_MOST_S,
            f"at most {RESTORED_AT_MOST_S:g} s",
        )


def _took_s(driver: SupervisedExport, export: Export) -> float:
    begin = time.monotonic()
    driver.publish(export)
    return time.monotonic() - begin


def _export(folder: Path) -> Export:
    volume_id = str(uuid4())
    path = folder / volume_id
    path.touch()
    os.truncate(path, GIB)
    return Export(
        export_id=str(uuid4()),
        volume_id=volume_id,
        hints={"kind": "file", "path": str(path)},
        connector=Connector(host=HOST, initiator="iqn.1993-08.org.debian:01:bench"),
        secret="0123456789abcdef",
    )
