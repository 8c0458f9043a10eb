"""Tells a `tgtd` what to do, on its management socket, as `tgtadm` does.

`tgtadm` itself takes an export's password on its command line, where everybody on the machine can
read it. A request has the form that tgt 1.0 has used since 2008; a test compares it with what the
installed `tgtadm` sends.
"""

import re
import socket
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

# mode, op, protocol, length, target, session, unit, and then connection, host, device, direction,
# pack, force
HEADER = struct.Struct("=II64sIiQQIIIIII")
ANSWER = struct.Struct("=II")  # error, length
RECEIVE_BYTES = 1 << 16
NO_TARGET = -1
NO_UNIT = 2**64 - 1


class Mode(IntEnum):
    TARGET = 1
    UNIT = 2
    PORTAL = 3
    ACCOUNT = 7


class Op(IntEnum):
    NEW = 0
    DELETE = 1
    SHOW = 2
    BIND = 3
    UPDATE = 5


class TgtError(Exception):
    """tgtd understood a request and refused it."""


@dataclass
class Target:
    """A target as tgtd shows it."""

    number: int
    name: str
    accounts: list[str] = field(default_factory=list)
    initiators: list[str] = field(default_factory=list)  # who may log in


class Tgt:
    """The tgtd that listens on a socket. What fails but a `TgtError` is an `OSError`."""

    def __init__(self, path: Path, *, timeout_s: float) -> None:
        self.path = path
        self.timeout_s = timeout_s

    def targets(self) -> list[Target]:
        return _read_targets(self.request(Mode.TARGET, Op.SHOW))

    def portals(self) -> list[str]:
        """The addresses it listens on, as `127.0.0.1:3260`."""
        return re.findall(r"^Portal: (.*),\d+$", self.request(Mode.PORTAL, Op.SHOW), re.MULTILINE)

    def accounts(self) -> list[str]:
        _, *shown = self.request(Mode.ACCOUNT, Op.SHOW).splitlines() or [""]
        return [line.strip() for line in shown]

    def request(
        self,
        mode: Mode,
        op: Op,
        text: str = "",
        *,
        target: int = NO_TARGET,
        unit: int = NO_UNIT,
        force: bool = False,
    ) -> str:
        """Return what tgtd answers. Raises `TgtError`, without the text, which may be secret."""
        payload = text.encode() + b"\0" if text else b""
        length = HEADER.size + len(payload)
        header = HEADER.pack(mode, op, b"iscsi", length, target, 0, unit, 0, 0, 0, 0, 0, force)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self.timeout_s)
            connection.connect(str(self.path))
            connection.sendall(header + payload)
            answer = b""
            while received := connection.recv(RECEIVE_BYTES):
                answer += received
        if len(answer) < ANSWER.size:
            raise ConnectionResetError(f"{self.path}: the other side hung up")
        error, _ = ANSWER.unpack_from(answer)
        if error:
            raise TgtError(f"tgtd refused {op.name} of {mode.name} with error {error}")
        return answer[ANSWER.size :].rstrip(b"\0").decode(errors="replace")


def _read_targets(shown: str) -> list[Target]:
    """Read what `tgtadm --mode target --op show` prints: lines, indented by fours."""
    targets: list[Target] = []
    section = ""
    for line in shown.splitlines():
        text = line.strip()
        if found := re.fullmatch(r"Target (\d+): (.*)", line):
            targets.append(Target(int(found[1]), found[2]))
        elif line.startswith(" " * 8):
            if section == "Account information:":
                targets[-1].accounts.append(text)
            elif section == "ACL information:":
                targets[-1].initiators.append(text)
        else:
            section = text
    return targets
