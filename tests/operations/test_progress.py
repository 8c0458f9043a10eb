"""How far an operation is, as its row, its page and its heartbeat tell."""

import pytest

from storage_project.operations import run as runs
from storage_project.operations.admin.progress import byte_bar
from storage_project.operations.lease import heartbeat
from storage_project.operations.models import Operation
from storage_project.operations.run import Run
from storage_project.operations.states import Status
from tests.factories import OperationFactory

GIB = 1 << 30

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What time it is; set the only entry."""
    now = [100.0]
    monkeypatch.setattr(runs, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def run() -> Run:
    return Run(OperationFactory(status=Status.RUNNING), Operation.objects.none())


def stored(run: Run) -> Operation:
    """As the heartbeat has written it."""
    heartbeat.extend(run)
    return Operation.objects.get(pk=run.operation.pk)


def test_the_rate_is_that_of_the_phase(run: Run, clock: list[float]) -> None:
    run.progress(0, 4 * GIB, phase="reads", read_bytes=0)
    assert stored(run).bytes_per_s is None
    clock[0] += 2
    run.progress(GIB, 4 * GIB, phase="reads", read_bytes=GIB // 2)
    operation = stored(run)
    assert (operation.bytes_per_s, operation.seconds_left) == (GIB // 2, 6)
    assert operation.counted["read_bytes"] == GIB // 2
    clock[0] += 100
    run.progress(GIB, phase="compares")
    operation = stored(run)
    assert (operation.bytes_per_s, operation.seconds_left) == (None, None)
    # What was counted stays.
    assert operation.counted == {"read_bytes": GIB // 2}
    clock[0] += 1
    run.progress(2 * GIB)
    assert stored(run).bytes_per_s == GIB


def test_what_was_done_before_does_not_count(run: Run, clock: list[float]) -> None:
    """As by a worker that goes on with what another has begun."""
    run.progress(3 * GIB, 4 * GIB, phase="reads")
    clock[0] += 1
    run.progress(3 * GIB + 1024, 4 * GIB, phase="reads")
    assert stored(run).bytes_per_s == 1024


def test_the_page_says_how_long_it_takes_still(run: Run, clock: list[float]) -> None:
    run.progress(0, 4 * GIB, phase="reads the volume")
    clock[0] += 2
    run.progress(GIB, 4 * GIB, phase="reads the volume")
    text = byte_bar(stored(run))
    assert "1 of 4 GiB, 512 MiB/s, 6.00 s left: reads the volume" in text
    Operation.objects.update(status=Status.SUCCEEDED)
    assert "left" not in byte_bar(Operation.objects.get())
