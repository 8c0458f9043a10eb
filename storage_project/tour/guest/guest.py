"""Starts the guest in QEMU, without help of the processor: slower, but wherever QEMU is."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from drivers.qmp import Qmp
from storage_project.supervisor import prctl
from storage_project.tour.guest.agent import Agent, GuestError
from storage_project.tour.guest.images import QEMU, Images

MEMORY_MIB = 96
START_TIMEOUT_S = 60
POLL_S = 0.02
SLOTS = 4  # of a machine that needs them made in advance


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest that runs. `monitor` is for the hypervisor driver, `control` for who started it."""

    agent: Agent
    monitor: Path
    control: Path
    process: subprocess.Popen[bytes]

    def hold(self) -> None:
        """Stop the guest's processor: until `release` it does nothing, lets no disk go either."""
        with Qmp(self.control) as qmp:
            qmp.execute("stop")

    def release(self) -> None:
        """Let the guest's processor go on."""
        with Qmp(self.control) as qmp:
            qmp.execute("cont")


def command(
    images: Images,
    monitor: Path,
    folder: Path,
    *,
    name: str,
    server_id: str,
    machine: str = "pc",
    extra: Sequence[str] = (),
) -> list[str]:
    """The command line of QEMU for a guest whose sockets lie in `folder`."""
    line = [QEMU, "-accel", "tcg", "-machine", machine, "-m", str(MEMORY_MIB), "-nodefaults"]
    line += ["-no-user-config", "-display", "none", "-name", name, "-uuid", server_id]
    line += ["-kernel", str(images.kernel), "-initrd", str(images.initrd)]
    line += ["-append", "console=ttyS0 quiet"]
    line += ["-chardev", f"socket,id=console,path={folder}/console,server=on,wait=off"]
    line += ["-serial", "chardev:console"]
    line += ["-qmp", f"unix:{monitor},server=on,wait=off"]
    line += ["-qmp", f"unix:{folder}/control,server=on,wait=off"]
    if machine == "q35":
        for number in range(1, SLOTS + 1):
            line += ["-device", f"pcie-root-port,id=slot{number},chassis={number}"]
    return [*line, *extra]


@contextmanager
def running(line: Sequence[str], monitor: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run QEMU by this command line; it is gone at the end, whatever happens."""
    folder.mkdir(parents=True, exist_ok=True)
    monitor.parent.mkdir(parents=True, exist_ok=True)
    with (folder / "qemu.log").open("wb") as log:
        parent = os.getpid()
        process = subprocess.Popen(  # noqa: S603 - our own command line
            line,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for who started it
            preexec_fn=lambda: _end_with(parent),  # noqa: PLW1509 - the child calls the kernel only
        )
    try:
        _wait_for_monitor(process, folder / "control", folder / "qemu.log")
        yield process
    finally:
        process.kill()  # asked kindly, it would wait for exports that are no more
        process.wait()
        monitor.unlink(missing_ok=True)


@contextmanager
def started(line: Sequence[str], monitor: Path, folder: Path) -> Iterator[Guest]:
    """The same, with a line to the guest, which may have to boot yet."""
    with running(line, monitor, folder) as process, Agent(folder / "console") as agent:
        yield Guest(agent, monitor, folder / "control", process)


@contextmanager
def booted(
    images: Images, monitor: Path, folder: Path, *, name: str, server_id: str, machine: str = "pc"
) -> Iterator[Guest]:
    """Boot a guest and wait until it answers, which takes some seconds."""
    line = command(images, monitor, folder, name=name, server_id=server_id, machine=machine)
    with started(line, monitor, folder) as guest:
        guest.agent.wait_until_ready()
        yield guest


def _end_with(parent: int) -> None:
    prctl.send_at_death_of_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _wait_for_monitor(process: subprocess.Popen[bytes], control: Path, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            with Qmp(control):
                return
        except OSError as error:
            if process.poll() is not None:
                raise GuestError(f"QEMU ended: {log.read_text().strip()}") from error
            if time.monotonic() > deadline:
                raise GuestError("QEMU does not answer.") from error
            time.sleep(POLL_S)
