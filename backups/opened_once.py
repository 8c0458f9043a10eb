"""What a process opens once by name, and its threads share."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Opened = TypeVar("Opened")


class OpenedOnce(Generic[Opened]):
    """Wraps a function of a name: the first call of a name opens, however many come at once, and
    all others get the same. What could not be opened is tried again."""

    def __init__(self, open_it: Callable[[str], Opened]) -> None:
        self.__doc__ = open_it.__doc__
        self._open_it = open_it
        self.cache_clear()

    def cache_clear(self) -> None:
        """Forget what is open."""
        self._opened: dict[str, Opened] = {}
        self._locks: dict[str, threading.Lock] = {}

    def __call__(self, name: str) -> Opened:
        with self._locks.setdefault(name, threading.Lock()):
            if name not in self._opened:
                self._opened[name] = self._open_it(name)
            return self._opened[name]
