"""The engine in the test's own process: no worker and no broker, but every step for real."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db.models.functions import Now
from pytest_django import Settings

from drivers.volume.base import VolumeDriver
from storage_project.config import configuration
from storage_project.operations.dispatcher import Dispatcher
from storage_project.operations.models import Operation
from storage_project.operations.runner import Outcome, run_step
from storage_project.operations.states import ACTIVE, STEPS, Step
from volumes.backends import open_backend, report_backend


@contextmanager
def backends(
    settings: Settings, home: Path, configured: str
) -> Iterator[dict[str, VolumeDriver]]:
    """The backends of this TOML, with their pools reported, until the block ends."""
    settings.STORAGE_CONFIG = home / "storage.toml"
    settings.STORAGE_CONFIG.write_text(configured)
    _forget()
    try:
        drivers = {name: open_backend(name) for name in configuration().backends}
        for name in drivers:
            report_backend(name)
        yield drivers
    finally:
        _forget()


def _forget() -> None:
    configuration.cache_clear()
    open_backend.cache_clear()


def work_off() -> None:
    """Run every operation until it has ended, without waiting between the tries of a step."""
    dispatcher = Dispatcher(_run_chain, lambda queue: 0)
    while Operation.objects.filter(status__in=ACTIVE).update(ring_after=Now()):
        dispatcher.ring_due()


def _run_chain(operation: Operation) -> None:
    """What workers do with the chain of an operation."""
    step = Step(Operation.objects.get(pk=operation.pk).step)
    for each in (step,) if step is Step.UNDO else STEPS[STEPS.index(step) :]:
        if run_step(str(operation.pk), each).outcome is not Outcome.DONE:
            return
