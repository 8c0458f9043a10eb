"""Pipelines per second beside chains of four empty tasks: the same broker, workers and queues.

Both are timed from the first message sent to the last task ended, in alternating rounds. The
backend is the memory driver: what is compared is the engine, not a disk.
"""

import signal
import time
from collections.abc import Callable
from statistics import median

from django.conf import settings
from redis import Redis

from storage_project.celery import app
from storage_project.identity.caller import Caller
from storage_project.operations.models import Operation
from storage_project.operations.states import ACTIVE
from storage_project.supervisor.services import CONTROL_PROCESSES
from tests.benchmarks.noop import QUEUES, chain_of_noops
from tests.benchmarks.report import Report
from tests.stack import Stack, wait_until
from volumes.models import Pool, QuotaLimit
from volumes.services.types import ensure_default_type
from volumes.services.volumes import create_volume

ROUNDS = 5
COUNT = 300
WORKERS = ("control", "volume-memory")

CALLER = Caller(
    user_id="bench",
    user_name="bench",
    project_id="bench",
    project_name="bench",
    roles=frozenset({"member"}),
    request_id="req-bench",
)


def measure(stack: Stack, report: Report) -> None:
    """Start the workers, run the rounds, report medians and their ratio."""
    report.title("Pipelines, PostgreSQL")
    stack.start_worker(
        "control",
        queue="control",
        processes=CONTROL_PROCESSES,
        include="tests.benchmarks.noop",
    )
    stack.start_worker(
        "volume-memory", queue="volume.box@memory", processes=1, include="tests.benchmarks.noop"
    )
    dispatcher = stack.start_dispatcher()
    for name in WORKERS:
        stack.wait_for_worker(name)
    wait_until(Pool.objects.exists, "the pool of the memory backend")
    for resource in ("volumes", "gigabytes"):
        QuotaLimit.objects.update_or_create(resource=resource, defaults={"limit": -1})
    volume_type = ensure_default_type()

    def pipelines() -> None:
        dispatcher.signal(signal.SIGCONT)
        wait_until(_all_ended, "all operations", patience_s=300)

    def prepare_pipelines() -> None:
        dispatcher.signal(signal.SIGSTOP)
        for _ in range(COUNT):
            create_volume(caller=CALLER, size_gib=1, volume_type=volume_type)

    def chains() -> None:
        for number in range(COUNT):
            chain_of_noops(number).apply_async()
        wait_until(_all_idle, "all chains", patience_s=300)

    # One round of each is not counted: connections, caches, and the first forks.
    floor_rates, rates, floor_cpu, cpu = [], [], [], []
    for number in range(ROUNDS + 1):
        floor_rate, floor_ms = _timed(stack, chains)
        prepare_pipelines()
        rate, ms = _timed(stack, pipelines)
        if number:
            floor_rates.append(floor_rate)
            rates.append(rate)
            floor_cpu.append(floor_ms)
            cpu.append(ms)
    report.line("chains of four empty tasks (the floor)", f"{median(floor_rates):.1f}/s")
    report.line("pipelines (volume.create, memory backend)", f"{median(rates):.1f}/s")
    ratios = [rate / floor for rate, floor in zip(rates, floor_rates, strict=True)]
    report.ratio("pipelines ÷ floor, median of rounds", median(ratios), at_least=0.5)
    report.line("  range of rounds", f"{min(ratios):.2f} … {max(ratios):.2f}")
    report.line("CPU of a chain: workers and broker", f"{median(floor_cpu):.1f} ms")
    report.line("CPU of a pipeline: workers, broker, dispatcher", f"{median(cpu):.1f} ms")


def _timed(stack: Stack, act: Callable[[], None]) -> tuple[float, float]:
    """(how many per second, CPU ms of our processes for each)."""
    cpu_before = sum(process.cpu_s() for process in stack.processes.values())
    started = time.monotonic()
    act()
    seconds = time.monotonic() - started
    cpu_s = sum(process.cpu_s() for process in stack.processes.values()) - cpu_before
    return COUNT / seconds, cpu_s * 1000 / COUNT


def _all_ended() -> bool:
    return not Operation.objects.filter(status__in=ACTIVE).exists()


def _all_idle() -> bool:
    """No message waits and no task runs: looked at in the workers' own order."""
    with Redis.from_url(settings.BROKER_URL) as broker:
        if any(broker.llen(queue) for queue in set(QUEUES)) or broker.hlen("unacked"):
            return False
    active = app.control.inspect(timeout=5, limit=len(WORKERS)).active() or {}
    return len(active) == len(WORKERS) and not any(active.values())
