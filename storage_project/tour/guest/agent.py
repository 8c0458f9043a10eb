"""Asks the guest to do things: a shell command per line, over its serial console."""

import base64
import shlex
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

POLL_S = 0.02
PIECE_BYTES = 1024  # what is written with one command: the console takes lines of 4 KiB
SECTOR_BYTES = 512


class GuestError(Exception):
    """A command failed in the guest, or the guest does not answer."""


@dataclass(frozen=True, slots=True)
class GuestDisk:
    """A disk as the guest sees it."""

    name: str  # "vda"
    serial: str
    size_bytes: int
    read_only: bool


class Agent:
    """A line to the guest. It has one user at a time."""

    def __init__(self, console: Path, *, timeout_s: float = 60.0) -> None:
        self.timeout_s = timeout_s
        self._console = console
        self._count = 0
        self._received = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def __enter__(self) -> Self:
        deadline = time.monotonic() + self.timeout_s
        while True:
            try:
                self._socket.connect(str(self._console))
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise GuestError("The guest has no console.") from None
                time.sleep(POLL_S)
            else:
                return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def wait_until_ready(self) -> None:
        """Return once a guest that boots listens."""
        self._wait_for("!ready")

    def run(self, command: str) -> str:
        """Return what a shell command prints. Raises `GuestError` when it fails."""
        self._count += 1
        self._socket.sendall(f"{self._count} {command}\n".encode())
        code, _, output = self._wait_for(f"@{self._count} ").partition(" ")
        text = output.replace("~", "\n").rstrip("\n")
        if code != "0":
            raise GuestError(f"{command} ended with {code} in the guest: {text}")
        return text

    # Disks

    def disks(self) -> list[GuestDisk]:
        """The disks that the guest sees just now."""
        listed = self.run(
            "for d in /sys/block/vd*; do [ -e $d/size ] && "
            'echo "${d##*/} $(cat $d/size) $(cat $d/ro) $(cat $d/serial)"; done; true'
        )
        found = []
        for line in listed.splitlines():
            match line.split(" ", 3):
                # Not one that comes or goes while it is listed.
                case [name, sectors, read_only, *serial] if sectors.isdecimal():
                    size_bytes = int(sectors) * SECTOR_BYTES
                    found.append(GuestDisk(name, "".join(serial), size_bytes, read_only == "1"))
        return found

    def find_disk(self, serial: str) -> GuestDisk | None:
        """The disk with this serial, if the guest sees it."""
        return next((disk for disk in self.disks() if disk.serial == serial), None)

    def wait_for_disk(self, serial: str, *, size_bytes: int | None = None) -> GuestDisk:
        """Return the disk once the guest sees it, with this size when one is given."""
        deadline = time.monotonic() + self.timeout_s
        while True:
            disk = self.find_disk(serial)
            if disk and size_bytes in (None, disk.size_bytes):
                return disk
            if time.monotonic() > deadline:
                raise GuestError(f"The guest does not see {serial} so; it sees {self.disks()}.")
            time.sleep(POLL_S)

    def write(self, serial: str, offset: int, data: bytes) -> None:
        """Write some bytes to a disk and return when they are on it."""
        path = self._path(serial)
        for start in range(0, len(data), PIECE_BYTES):
            piece = base64.b64encode(data[start : start + PIECE_BYTES]).decode()
            self.run(
                f"echo {piece} | base64 -d | dd of={path} status=none bs={PIECE_BYTES} "
                f"seek={offset + start} oflag=seek_bytes conv=notrunc,fsync"
            )

    def read(self, serial: str, offset: int, length: int) -> bytes:
        """Read some bytes from a disk, not from the guest's memory of it."""
        path = self._path(serial)
        printed = self.run(
            f"blockdev --flushbufs {path}; dd if={path} status=none bs=4096 "
            f"skip={offset} count={length} iflag=skip_bytes,count_bytes | base64"
        )
        return base64.b64decode(printed)

    def fill(self, serial: str, text: str, *, size_mib: int) -> None:
        """Write this text again and again from the beginning of a disk."""
        self.run(
            f"yes {shlex.quote(text)} | head -c {size_mib}m | "
            f"dd of={self._path(serial)} status=none bs=1M iflag=fullblock conv=notrunc,fsync"
        )

    def sha256(self, serial: str, length: int) -> str:
        """The digest of the first bytes of a disk."""
        path = self._path(serial)
        return self.run(
            f"blockdev --flushbufs {path}; head -c {length} {path} | sha256sum"
        ).split()[0]

    def start_counting(self, serial: str, *, sectors: int) -> None:
        """Write 1, 2, 3, … to the first sectors of a disk, round and round, until told to stop.

        Each number, of twenty digits, is on the disk before the next one is written.
        """
        path = self._path(serial)
        self.run(
            "rm -f /run/counted; touch /run/counting /run/counter; "
            "( i=0; while [ -e /run/counting ]; do i=$((i + 1)); "
            f"printf %020d $i | dd of={path} bs={SECTOR_BYTES} seek=$(( (i - 1) % {sectors})) "
            f"status=none conv=notrunc,sync,fsync || break; echo $i > /run/counted; done; "
            "rm /run/counter ) < /dev/null > /dev/null 2>&1 &"
        )

    def stop_counting(self) -> int:
        """End the counting and return the last number that is on the disk."""
        # The shell that counts is nobody's child any more, so it cannot be waited for.
        self.run("rm -f /run/counting; while [ -e /run/counter ]; do sleep 0.02; done")
        return int(self.run("cat /run/counted"))

    def _path(self, serial: str) -> str:
        disk = self.find_disk(serial)
        if disk is None:
            raise GuestError(f"The guest does not see {serial}.")
        return f"/dev/{disk.name}"

    def _wait_for(self, beginning: str) -> str:
        """Return the rest of the next line that begins so."""
        deadline = time.monotonic() + self.timeout_s
        while True:
            while b"\n" in self._received:
                raw, _, self._received = self._received.partition(b"\n")
                line = raw.decode(errors="replace").strip()
                if line.startswith(beginning):
                    return line.removeprefix(beginning)
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise GuestError(f"The guest did not answer within {self.timeout_s:g} s.")
            self._socket.settimeout(left_s)
            try:
                received = self._socket.recv(1 << 16)
            except TimeoutError:
                continue
            if not received:
                raise GuestError("The guest is gone.")
            self._received += received
