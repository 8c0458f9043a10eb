"""What the kernel does to a process when its parent dies, and the name it shows for it (Linux)."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
NAME_BYTES = 15

_libc = ctypes.CDLL(None, use_errno=True)


def name_process(name: str) -> None:
    """Show this process, and what it forks from now on, as `name` in ps, top and pstree."""
    _libc.prctl(PR_SET_NAME, name.encode()[:NAME_BYTES], 0, 0, 0)


def send_at_death_of_parent(number: signal.Signals) -> None:
    """Have the kernel send us this signal when our parent, as it is now, dies."""
    _libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def tie_children_to_parents() -> None:
    """From now on a fork of this process, and of any fork of it, is killed when its parent dies.

    So one `kill -9` of the topmost leaves nothing behind. It does not reach what `subprocess`
    starts: that is for whoever starts it.
    """
    parent = 0

    def remember() -> None:
        nonlocal parent
        parent = os.getpid()

    def tie() -> None:
        send_at_death_of_parent(signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)  # the parent was gone before the signal was asked for

    os.register_at_fork(before=remember, after_in_child=tie)
