"""Attaching a volume to a server, from the request to the guest, beside what QEMU alone needs.

The server is a real guest, idle, under QEMU without help of the processor; the volume is a file
over NBD. The floor is the same hot-plug by QMP, with nothing of ours but the driver.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from uuid import UUID, uuid4

from drivers.hypervisor.base import serial_of
from drivers.hypervisor.qemu import QemuDriver
from drivers.units import GIB
from storage_project.identity.services import ensure_project
from storage_project.tour.guest.guest import Guest, booted
from storage_project.tour.guest.images import prepare_images
from tests.benchmarks.pipelines import CALLER
from tests.benchmarks.report import Report
from tests.stack import HOST, Stack, wait_until
from volumes.models import Attachment, Pool, Server, Volume
from volumes.services.servers import attach_to_server, detach_from_server
from volumes.services.types import ensure_default_type
from volumes.services.volumes import create_volume

ROUNDS = 30
ATTACH_P50_S, ATTACH_P95_S = 1.0, 3.0
WORKERS = {"control": "control", "volume-fast": f"volume.{HOST}@fast", "compute": f"compute.{HOST}"}


def measure(stack: Stack, report: Report) -> None:
    """Start the workers and a guest, attach and detach a volume again and again."""
    report.title("Attach and detach, over NBD, PostgreSQL")
    ensure_project(name="demo")
    for name, queue in WORKERS.items():
        stack.start_worker(name, queue=queue)
    stack.start_exports()
    stack.start_dispatcher()
    server_id = uuid4()
    sockets = stack.home / "servers"
    with booted(
        prepare_images(), sockets / "bench.qmp", sockets, name="bench", server_id=str(server_id)
    ) as guest:
        wait_until(Pool.objects.exists, "the pool")
        wait_until(Server.objects.filter(pk=server_id, status="ACTIVE").exists, "the server")
        server = Server.objects.get(pk=server_id)
        volume = create_volume(caller=CALLER, size_gib=1, volume_type=ensure_default_type())
        wait_until(lambda: _status(volume.pk) == "available", "the volume")
        attached, seen, detached = [], [], []
        floor_attached, floor_detached = [], []
        for _ in range(ROUNDS):
            took = _measure_ours(guest, server, volume)
            attached.append(took[0])
            seen.append(took[1])
            detached.append(took[2])
            floor = _measure_floor(guest, stack, sockets, str(server_id))
            floor_attached.append(floor[0])
            floor_detached.append(floor[1])
    _report(report, "attach: request → attached", attached, floor_attached)
    _report(report, "attach: request → the guest sees it", seen)
    _report(report, "detach: request → available", detached, floor_detached)


def _measure_ours(guest: Guest, server: Server, volume: Volume) -> tuple[float, float, float]:
    serial = serial_of(str(volume.pk))
    begin = time.monotonic()
    attachment = attach_to_server(server=server, volume=volume, caller=CALLER)
    attached_s = _wait(lambda: _attachment_status(attachment.pk) == "attached", begin)
    guest.agent.wait_for_disk(serial)
    seen_s = time.monotonic() - begin
    begin = time.monotonic()
    detach_from_server(attachment=Attachment.objects.get(pk=attachment.pk), caller=CALLER)
    detached_s = _wait(lambda: _status(volume.pk) == "available", begin)
    return attached_s, seen_s, detached_s


def _measure_floor(
    guest: Guest, stack: Stack, sockets: Path, server_id: str
) -> tuple[float, float]:
    """(seconds to plug a file in, seconds to take it out again) by the driver alone."""
    driver = QemuDriver(QemuDriver.Options(sockets=sockets), name="floor", home=stack.home)
    volume_id = str(uuid4())
    path = stack.home / volume_id
    path.touch()
    os.truncate(path, GIB)
    info = {"driver_volume_type": "gpfs", "data": {"device_path": str(path), "access_mode": "rw"}}
    begin = time.monotonic()
    driver.attach(server_id, volume_id, info)
    attached_s = time.monotonic() - begin
    guest.agent.wait_for_disk(serial_of(volume_id))
    begin = time.monotonic()
    assert driver.detach(server_id, serial_of(volume_id), wait_s=30)
    path.unlink()
    return attached_s, time.monotonic() - begin


def _wait(true: Callable[[], bool], begin: float) -> float:
    deadline = begin + 60
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.005)
    return time.monotonic() - begin


def _status(volume_id: UUID) -> str | None:
    return Volume.objects.filter(pk=volume_id).values_list("status", flat=True).first()


def _attachment_status(attachment_id: UUID) -> str | None:
    rows = Attachment.objects.filter(pk=attachment_id)
    return rows.values_list("status", flat=True).first()


def _report(
    report: Report, what: str, took_s: list[float], floor_s: list[float] | None = None
) -> None:
    p50, p95 = median(took_s), sorted(took_s)[int(len(took_s) * 0.95)]
    beside = f"; by QMP alone p50 {median(floor_s) * 1000:.0f} ms" if floor_s else ""
    report.bound(
        f"{what}, p50, p95",
        f"{p50 * 1000:.0f} ms, {p95 * 1000:.0f} ms{beside}",
        p50 < ATTACH_P50_S and p95 < ATTACH_P95_S,
        f"below {ATTACH_P50_S:g} s and {ATTACH_P95_S:g} s",
    )
