"""Real exports of one file each, made without our own export drivers."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drivers.volume.base import JSON
from tests.contracts.hypervisor_driver import Volume
from tests.stack import free_port

START_TIMEOUT_S = 30
POLL_S = 0.02
INITIATOR = "iqn.2026-01.org.khoi.test:client"
USER, PASSWORD = "khoi", "correct-horse-battery"


class NbdServer:
    """A volume as an NBD export on a unix socket."""

    def __init__(self, volume: Volume, path: Path) -> None:
        self.volume = volume
        self.path = path

    @property
    def connection_info(self) -> dict[str, JSON]:
        return {
            "driver_volume_type": "nbd",
            "data": {"socket": str(self.path), "export": "volume", "access_mode": "rw"},
        }

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve; at the end the server is killed."""
        command = ["qemu-nbd", "--format=raw", "--persistent", "--shared=4", "--export-name=volume"]
        command += [f"--socket={self.path}", str(self.volume.path)]
        with started(command, lambda: connects(self.path)):
            yield


@contextmanager
def iscsi_target(volume: Volume) -> Iterator[dict[str, JSON]]:
    """A volume as an iSCSI target for one initiator with a password; yields connection_info."""
    port = free_port()
    control = str(port % 0x8000)  # names the socket that tgtadm talks to
    name = f"iqn.2026-01.org.khoi.test:{volume.volume_id}"

    def tgtadm(mode: str, operation: str, *arguments: str) -> bool:
        command = ["tgtadm", "-C", control, "--lld=iscsi", f"--mode={mode}", f"--op={operation}"]
        return subprocess.run([*command, *arguments], capture_output=True).returncode == 0

    command = ["tgtd", "-f", "-C", control, "-t", "1", "--iscsi", f"portal=127.0.0.1:{port}"]
    with started(command, lambda: tgtadm("target", "show")):
        assert tgtadm("target", "new", "--tid=1", f"--targetname={name}")
        assert tgtadm("logicalunit", "new", "--tid=1", "--lun=1", f"-b{volume.path}")
        assert tgtadm("account", "new", f"--user={USER}", f"--password={PASSWORD}")
        assert tgtadm("account", "bind", "--tid=1", f"--user={USER}")
        assert tgtadm("target", "bind", "--tid=1", f"--initiator-name={INITIATOR}")
        yield {
            "driver_volume_type": "iscsi",
            "data": {
                "target_portal": f"127.0.0.1:{port}",
                "target_iqn": name,
                "target_lun": 1,
                "initiator_name": INITIATOR,
                "auth_method": "CHAP",
                "auth_username": USER,
                "auth_password": PASSWORD,
                "access_mode": "rw",
            },
        }


def connects(path: Path) -> bool:
    """Whether somebody listens on a socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@contextmanager
def started(command: list[str], is_ready: Callable[[], bool]) -> Iterator[subprocess.Popen]:
    """Run a daemon, from when it is ready until it is killed."""
    try:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        pytest.skip(f"{command[0]} is not installed")
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} does not start: {process.poll()}")
            time.sleep(POLL_S)
        yield process
    finally:
        process.kill()
        process.wait()
