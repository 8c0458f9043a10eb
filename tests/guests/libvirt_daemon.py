"""A libvirt daemon of the tests' own, with its own configuration, sockets and guests.

Started by anyone but root, libvirt keeps everything below the folders of that user, and leaves
cgroups and the system's own daemon alone. So root starts it under another number: in a user
namespace, where it still may read root's files.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from drivers.errors import DriverError
from drivers.hypervisor.libvirt_binding import libvirt_binding
from storage_project.tour.guest.agent import Agent
from storage_project.tour.guest.guest import MEMORY_MIB
from storage_project.tour.guest.images import QEMU, Images, cache_folder
from tests.guests import reaper
from tests.guests.saved import require_images

NAME = "web"
UUID = "7c4f6c1e-6f0c-4d6a-9d43-3a3c1f1f2b11"
START_TIMEOUT_S = 60
POLL_S = 0.05
SLOTS = 3


class LibvirtDaemon:
    """A daemon, and one domain that can be started from where it was saved."""

    def __init__(self, folder: Path, images: Images) -> None:
        self.folder = folder
        self.uri = self.uri_in(folder)
        self._images = images
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def uri_in(folder: Path) -> str:
        """Where a daemon in this folder answers, once it runs."""
        return f"qemu:///session?socket={folder}/run/libvirt/libvirt-sock"

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        folders = {
            "XDG_CONFIG_HOME": self.folder / "config",
            "XDG_DATA_HOME": self.folder / "data",
            "XDG_RUNTIME_DIR": self.folder / "run",
            # What it learns about QEMU, which takes it some seconds each time it is new.
            "XDG_CACHE_HOME": cache_folder(),
        }
        for path in folders.values():
            path.mkdir(parents=True, exist_ok=True)
        (folders["XDG_CONFIG_HOME"] / "libvirt").mkdir(exist_ok=True)
        # Otherwise another daemon, virtlogd, would have to write the log of each guest.
        settings = folders["XDG_CONFIG_HOME"] / "libvirt" / "qemu.conf"
        settings.write_text('stdio_handler = "file"\n')
        command = [sys.executable, "-m", reaper.__name__, "libvirtd"]
        if os.geteuid() == 0:
            command = ["unshare", "--user", "--map-user=1000", "--map-group=1000", *command]
        with (self.folder / "libvirtd.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=Path(__file__).parents[2],
                env=os.environ | {name: str(path) for name, path in folders.items()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                with self.connection():
                    return
            except libvirt_binding().libvirt.libvirtError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "libvirtd.log").read_text()) from None
                time.sleep(POLL_S)

    def kill(self) -> None:
        """Kill the daemon; its guest goes on."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Kill the daemon and its guest."""
        self.kill()
        self._kill_guest()

    @contextmanager
    def connection(self) -> Iterator[Any]:
        connection = libvirt_binding().libvirt.open(self.uri)
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def domain(self) -> Iterator[Any]:
        with self.connection() as connection:
            yield connection.lookupByUUIDString(UUID)

    def boot_and_save(self) -> None:
        """Boot the guest once, and save it."""
        with self.connection() as connection:
            domain = connection.defineXML(self._xml())
            domain.create()
            with Agent(self.folder / "console") as agent:
                agent.wait_until_ready()
            domain.save(str(self.folder / "state"))

    @contextmanager
    def restored(self) -> Iterator[Agent]:
        """The guest, running from where it was saved, until the end of the block."""
        with self.connection() as connection:
            connection.restore(str(self.folder / "state"))
        try:
            with Agent(self.folder / "console") as agent:
                yield agent
        finally:
            self.switch_off()

    def switch_off(self) -> None:
        """Kill the guest and wait until the daemon has noticed."""
        self._kill_guest()
        deadline = time.monotonic() + START_TIMEOUT_S
        with self.domain() as domain:
            while domain.isActive():
                if time.monotonic() > deadline:
                    raise TimeoutError("libvirt does not notice that its guest is gone")
                time.sleep(POLL_S)

    def _kill_guest(self) -> None:
        pid = self.folder / "run" / "libvirt" / "qemu" / "run" / f"{NAME}.pid"
        with suppress(FileNotFoundError, ProcessLookupError):  # it does not run
            os.kill(int(pid.read_text()), signal.SIGKILL)

    def _xml(self) -> str:
        ports = "<controller type='pci' model='pcie-root-port'/>" * SLOTS
        return f"""
        <domain type='qemu'><name>{NAME}</name><uuid>{UUID}</uuid>
          <memory unit='MiB'>{MEMORY_MIB}</memory><vcpu>1</vcpu>
          <os><type arch='x86_64' machine='q35'>hvm</type>
            <kernel>{self._images.kernel}</kernel><initrd>{self._images.initrd}</initrd>
            <cmdline>console=ttyS0 quiet</cmdline></os>
          <features><acpi/></features>
          <devices><emulator>{shutil.which(QEMU)}</emulator>
            <serial type='unix'><source mode='bind' path='{self.folder}/console'/></serial>
            <controller type='pci' model='pcie-root'/>{ports}
            <controller type='usb' model='none'/><memballoon model='none'/></devices>
        </domain>"""


@contextmanager
def libvirt_daemon(folder: Path) -> Iterator[LibvirtDaemon]:
    """A daemon whose guest has booted; the test skips where there is no libvirt. The path of the
    folder must be so short that sockets fit in."""
    if shutil.which("libvirtd") is None:
        pytest.skip("libvirtd is not installed (Debian: libvirt-daemon)")
    try:
        libvirt_binding()
    except DriverError as error:
        pytest.skip(error.sentence)
    daemon = LibvirtDaemon(folder, require_images())
    try:
        daemon.start()
        daemon.boot_and_save()
        yield daemon
    finally:
        daemon.close()
