import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from drivers.errors import DriverError, Reason
from drivers.faults import Fault, FaultOptions, Faults, faulty, faulty_when_planned


class Lamp:
    """The smallest thing that can fail."""

    def __init__(self, **options):
        self.faults = Faults(FaultOptions(**options))
        self.lit = 0

    @faulty
    def light(self, *, times=1):
        self.lit += times
        return self.lit

    @faulty_when_planned
    def look(self):
        return self.lit


def test_without_faults_nothing_happens():
    assert Lamp().light(times=3) == 3


def test_a_planned_failure_comes_once_and_before_the_effect():
    lamp = Lamp()
    lamp.faults.next("light", Fault.failure("No bulb.", code=Reason.not_found))
    with pytest.raises(DriverError, match="No bulb") as caught:
        lamp.light()
    assert caught.value.code == Reason.not_found
    assert not caught.value.retryable
    assert lamp.light() == 1


def test_a_lost_reply_comes_after_the_effect():
    lamp = Lamp()
    lamp.faults.next("light", Fault.lost_reply())
    with pytest.raises(DriverError) as caught:
        lamp.light()
    assert caught.value.retryable
    assert lamp.lit == 1


def test_planned_faults_come_in_order_and_only_for_their_act():
    lamp = Lamp()
    lamp.faults.next("light", Fault.failure("One."), Fault())
    lamp.faults.next("light", Fault.failure("Three."))
    assert lamp.look() == 0
    with pytest.raises(DriverError, match="One"):
        lamp.light()
    assert lamp.light() == 1
    with pytest.raises(DriverError, match="Three"):
        lamp.light()


def test_looking_fails_only_when_planned():
    lamp = Lamp(failure_rate=1)
    assert lamp.look() == 0
    lamp.faults.next("look", Fault.failure())
    with pytest.raises(DriverError):
        lamp.look()


@pytest.mark.parametrize(("rate", "done"), [("failure_rate", False), ("lost_reply_rate", True)])
def test_chance_fails_before_or_after_the_effect(rate, done):
    lamp = Lamp(**{rate: 1})
    with pytest.raises(DriverError):
        lamp.light()
    assert lamp.lit == done


def outcomes(lamp):
    results = []
    for _ in range(200):
        try:
            lamp.light()
            results.append("lit")
        except DriverError as error:
            results.append(error.code)
    return results


def test_the_same_seed_gives_the_same_faults():
    options = {"failure_rate": 0.2, "lost_reply_rate": 0.2, "seed": 5}
    first = outcomes(Lamp(**options))
    assert first == outcomes(Lamp(**options))
    assert first != outcomes(Lamp(**options | {"seed": 6}))
    assert 20 < first.count(Reason.failed) < 60
    assert 20 < first.count(Reason.unavailable) < 60


def test_latency_is_waited():
    lamp = Lamp(latency_s=0.05)
    began = time.monotonic()
    lamp.light()
    assert time.monotonic() - began >= 0.05


@contextmanager
def hanging_calls(lamp, count):
    """Calls that hang by now."""
    with ThreadPoolExecutor(count) as threads:
        calls = [threads.submit(lamp.light) for _ in range(count)]
        try:
            lamp.faults.wait_for_hanging(count)
            yield calls
        finally:
            lamp.faults.release()


def test_a_hanging_call_goes_on_when_released():
    """As a worker that was taken for dead: its effect comes late."""
    lamp = Lamp()
    lamp.faults.next("light", Fault.hang(), Fault.hang())
    with hanging_calls(lamp, 2) as calls:
        assert lamp.light() == 1  # others pass
        assert not any(call.done() for call in calls)
        lamp.faults.release()
        assert sorted(call.result(timeout=10) for call in calls) == [2, 3]


def test_a_hang_by_chance_is_released_too():
    lamp = Lamp(hang_rate=1, hang_s=3600)
    with hanging_calls(lamp, 1) as (call,):
        lamp.faults.release()
        assert call.result(timeout=10) == 1


def test_a_release_is_only_for_those_that_hang():
    lamp = Lamp()
    lamp.faults.release()
    lamp.faults.next("light", Fault.hang())
    with hanging_calls(lamp, 1) as (call,):
        assert not call.done()


def test_a_hang_ends_by_itself():
    lamp = Lamp()
    lamp.faults.next("light", Fault.hang(0.05))
    assert lamp.light() == 1


def test_waiting_for_a_hang_that_does_not_come_ends():
    with pytest.raises(TimeoutError):
        Lamp().faults.wait_for_hanging(timeout_s=0.01)


def test_a_hang_ends_by_a_signal():
    """As a worker that is told to stop: its handler raises, and the hang is over."""

    class StoppedError(Exception):
        pass

    def stop(number, frame):
        raise StoppedError

    lamp = Lamp()
    lamp.faults.next("light", Fault.hang())
    before = signal.signal(signal.SIGUSR1, stop)
    timer = threading.Timer(0.05, signal.raise_signal, [signal.SIGUSR1])
    timer.start()
    try:
        with pytest.raises(StoppedError):
            lamp.light()
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
    assert lamp.lit == 0
    assert lamp.light() == 1
