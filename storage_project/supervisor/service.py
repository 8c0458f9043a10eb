"""A process that is to run all the time, as the command line that runs it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum


class StopOrder(IntEnum):
    """Who is stopped first: nothing new is accepted, then handed out, then worked on."""

    WEB = 1
    DISPATCHER = 2
    WORKER = 3
    EXPORTS = 4
    MONITOR = 5
    BROKER = 6


@dataclass(frozen=True, kw_only=True)
class Service:
    """`argv` is what docker/compose.yaml would run; `up` turns a fork of itself into it.

    `wait_until_ready` runs in a process of its own: it returns once the service does its work and
    raises when it has waited long enough.
    """

    name: str
    argv: Sequence[str]
    stop_order: StopOrder
    wait_until_ready: Callable[[], None]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_within_s: float = 10
    # The descriptor of a listening socket for this service alone; everybody else closes it.
    listens_on: int | None = None
