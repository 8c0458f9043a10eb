"""Faults that a simulated driver makes on purpose: at random by its options, or exactly as told.

    driver.faults.next("create_volume", Fault.failure(), Fault.lost_reply())

makes the next call of `create_volume` fail without having done anything, and the one after it do
its work and report failure.
"""

import math
import random
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from typing import Annotated, Concatenate, ParamSpec, Protocol, Self, TypeVar

from drivers.errors import DriverError, Reason
from drivers.options import Option

WAIT_SLICE_S = 0.1


@dataclass(frozen=True, kw_only=True)
class FaultOptions:
    """How often calls go wrong by chance. The rates are from 0, never, to 1, always."""

    latency_s: Annotated[float, Option("how long every act takes", at_least=0)] = 0.0
    failure_rate: Annotated[
        float, Option("how often an act fails without doing anything", at_least=0, at_most=1)
    ] = 0.0
    lost_reply_rate: Annotated[
        float, Option("how often an act is done and then reported as failed", at_least=0, at_most=1)
    ] = 0.0
    hang_rate: Annotated[
        float, Option("how often an act hangs before it goes on", at_least=0, at_most=1)
    ] = 0.0
    hang_s: Annotated[float, Option("how long it then hangs", at_least=0)] = 60.0
    seed: Annotated[int | None, Option("the start of the dice, to repeat a run")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with one call: it waits, then it fails before or after its effect."""

    delay_s: float = 0.0
    error: DriverError | None = None
    is_done: bool = False  # the act takes effect although it reports the error

    @classmethod
    def failure(
        cls,
        sentence: str = "The simulated backend failed.",
        *,
        code: Reason = Reason.failed,
        retryable: bool = False,
    ) -> Self:
        """The act does nothing and fails."""
        return cls(error=DriverError(sentence, code=code, retryable=retryable))

    @classmethod
    def lost_reply(
        cls,
        sentence: str = "The simulated backend did not answer in time.",
        *,
        code: Reason = Reason.unavailable,
        retryable: bool = True,
    ) -> Self:
        """The act is done and reports that it failed."""
        return cls(error=DriverError(sentence, code=code, retryable=retryable), is_done=True)

    @classmethod
    def hang(cls, seconds: float = math.inf) -> Self:
        """The act waits, by default until `Faults.release()`, and then goes on."""
        return cls(delay_s=seconds)


class Faults:
    """Decides for every call of a driver what goes wrong with it. Threads may share it."""

    def __init__(self, options: FaultOptions) -> None:
        self.options = options
        self._dice = random.Random(options.seed)  # noqa: S311 - chance, not a secret
        self._planned: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._changed = threading.Condition()
        self._waiting = 0
        self._releases = 0

    def next(self, act: str, *faults: Fault) -> None:
        """Plan what happens to the next calls of `act`, one fault each, before any chance."""
        with self._changed:
            self._planned[act].extend(faults)

    def release(self) -> None:
        """Let every call that waits now go on at once."""
        with self._changed:
            self._releases += 1
            self._changed.notify_all()

    def wait_for_hanging(self, count: int = 1, *, timeout_s: float = 10.0) -> None:
        """Return once `count` calls wait. Raises `TimeoutError`."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting >= count, timeout_s):
                raise TimeoutError(f"{self._waiting} calls wait, not {count}")

    @contextmanager
    def around(self, act: str, *, by_chance: bool) -> Iterator[None]:
        """Run the body as a call of `act` with the fault that is its turn."""
        with self._changed:
            planned = self._planned[act]
            fault = planned.popleft() if planned else self._draw(by_chance)
            if fault.delay_s:
                self._wait(fault.delay_s)
        if fault.error and not fault.is_done:
            raise fault.error
        yield
        if fault.error:
            raise fault.error

    def _wait(self, delay_s: float) -> None:
        """Wait until the time is over, somebody releases, or a signal's handler raises."""
        releases = self._releases
        until = time.monotonic() + delay_s
        self._waiting += 1
        self._changed.notify_all()
        try:
            while self._releases == releases and (left_s := until - time.monotonic()) > 0:
                # In slices: a signal that another thread got does not end the main thread's wait.
                self._changed.wait(min(left_s, WAIT_SLICE_S))
        finally:
            self._waiting -= 1

    def _draw(self, by_chance: bool) -> Fault:
        if not by_chance:
            return Fault()
        options = self.options
        hangs, fails, loses = (
            self._dice.random() < rate
            for rate in (options.hang_rate, options.failure_rate, options.lost_reply_rate)
        )
        fault = Fault.failure() if fails else Fault.lost_reply() if loses else Fault()
        delay_s = options.latency_s + (options.hang_s if hangs else 0)
        return replace(fault, delay_s=delay_s)


class HasFaults(Protocol):
    faults: Faults


DriverT = TypeVar("DriverT", bound=HasFaults)
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Act = Callable[Concatenate[DriverT, Parameters], Result]


def faulty(act: Act[DriverT, Parameters, Result]) -> Act[DriverT, Parameters, Result]:
    """Let planned faults and chance happen to a method of a driver that has `faults`."""
    return _with_faults(act, by_chance=True)


def faulty_when_planned(act: Act[DriverT, Parameters, Result]) -> Act[DriverT, Parameters, Result]:
    """Let only planned faults happen, so that a run full of chance can still be looked at."""
    return _with_faults(act, by_chance=False)


def _with_faults(
    act: Act[DriverT, Parameters, Result], *, by_chance: bool
) -> Act[DriverT, Parameters, Result]:
    @wraps(act)
    def call(driver: DriverT, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        with driver.faults.around(act.__name__, by_chance=by_chance):
            return act(driver, *args, **kwargs)

    return call
