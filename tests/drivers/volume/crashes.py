"""Kills a process at every line of the drivers that an act runs, one line after the other."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import drivers

DRIVERS_FOLDER = str(Path(drivers.__file__).parent)


def killed_at_every_line(act: Callable[[], None]) -> Iterator[int]:
    """Run `act` in a process of its own that dies by SIGKILL before its 1st, 2nd, … line.

    Yields the line's number after each death, and ends when the act survived to its end.
    """
    line = 1
    while _is_killed(act, line):
        yield line
        line += 1


def _is_killed(act: Callable[[], None], line: int) -> bool:
    child = os.fork()
    if child == 0:
        try:
            sys.settrace(_killer(line))
            act()
            sys.settrace(None)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the act failed; run it without the killer to see why"
    return False


def _killer(line: int) -> Callable[[FrameType, str, Any], Any]:
    left = line

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return count

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        return count if frame.f_code.co_filename.startswith(DRIVERS_FOLDER) else None

    return enter
