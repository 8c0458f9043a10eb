"""Threads that work through a list together and stop together."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import TypeVar

TICK_S = 0.5  # how often a waiting caller is asked whether to go on

Item = TypeVar("Item")
State = TypeVar("State")


def work_through(
    items: Iterable[Item],
    work: Callable[[State, Item], None],
    states: Sequence[State],
    tick: Callable[[], None],
) -> None:
    """Do `work(state, item)` for every item, in one thread for each state.

    `tick` is called in the caller's thread for every item and while waiting. The first error, of
    any thread or of `tick`, ends everything: it is raised once no thread works any more. Items are
    taken only as fast as they are worked through.
    """
    idle: SimpleQueue[State] = SimpleQueue()
    for state in states:
        idle.put(state)

    def step(item: Item) -> None:
        state = idle.get()
        try:
            work(state, item)
        finally:
            idle.put(state)

    running: set[Future[None]] = set()

    def wait_until_at_most(count: int) -> None:
        nonlocal running
        while len(running) > count:
            done, running = wait(running, timeout=TICK_S, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
            tick()

    pool = ThreadPoolExecutor(len(states), thread_name_prefix="backup")
    try:
        for item in items:
            wait_until_at_most(2 * len(states) - 1)
            tick()
            running.add(pool.submit(step, item))
        wait_until_at_most(0)
    finally:
        pool.shutdown(cancel_futures=True)
