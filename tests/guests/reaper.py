"""Runs a daemon, and waits for the processes that it leaves behind, as an init would.

libvirt takes a guest for alive until somebody has waited for it, and not every init is quick.
`python -m tests.guests.reaper libvirtd` ends when the daemon does; the daemon is killed with it.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    daemon = os.fork()
    if daemon == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.execvp(sys.argv[1], sys.argv[1:])
    while os.wait()[0] != daemon:
        pass


if __name__ == "__main__":
    main()
