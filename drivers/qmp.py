"""Talks to QEMU and its storage daemon: QMP, JSON lines over a unix socket.

with Qmp(path) as qmp:
    qmp.execute("device_del", {"id": "disk0"})
    qmp.wait_event(lambda event: event["event"] == "DEVICE_DELETED", timeout_s=5)
"""

import json
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

RETRY_S = 0.02
RECEIVE_BYTES = 1 << 16

Message: TypeAlias = dict[str, Any]


class QmpError(Exception):
    """QEMU understood a command and refused it."""

    def __init__(self, class_: str, desc: str) -> None:
        super().__init__(f"{class_}: {desc}")
        self.class_ = class_
        self.desc = desc


class Qmp:
    """One conversation with a monitor, which listens to one client at a time.

    Every failure but a `QmpError` is an `OSError`: nobody listens, the other side is gone
    (`ConnectionError`), or it takes longer than `timeout_s` (`TimeoutError`), which holds for
    getting its attention and for each command. The conversation is over then.
    """

    def __init__(self, path: Path | str, *, timeout_s: float = 10.0) -> None:
        self.path = str(path)
        self.timeout_s = timeout_s
        self._events: deque[Message] = deque()
        self._received = b""

    def __enter__(self) -> Self:
        deadline = time.monotonic() + self.timeout_s
        self._socket = self._connect(deadline)
        try:
            self._receive(deadline)  # the greeting, once everybody before us has left
            self.execute("qmp_capabilities")
        except BaseException:
            self._socket.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def execute(self, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """Return what the command returns. Raises `QmpError`."""
        deadline = time.monotonic() + self.timeout_s
        request = {"execute": command, "arguments": dict(arguments or {})}
        self._socket.settimeout(self.timeout_s)
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = self._receive(deadline)
            if "error" in answer:
                raise QmpError(answer["error"]["class"], answer["error"]["desc"])
            if "return" in answer:
                return answer["return"]
            self._events.append(answer)

    def wait_event(self, is_wanted: Callable[[Message], bool], *, timeout_s: float) -> Message:
        """Return the first event that is wanted, among those since the beginning.

        It is then used up, as are all that came before it. Raises `TimeoutError`.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            event = self._events.popleft() if self._events else self._receive(deadline)
            if is_wanted(event):
                return event

    def _connect(self, deadline: float) -> socket.socket:
        while True:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(_left_s(deadline))
                connection.connect(self.path)
            except BlockingIOError:
                # The short queue of those who wait for their turn is full.
                connection.close()
                time.sleep(RETRY_S)
            except OSError:
                connection.close()
                raise
            else:
                return connection

    def _receive(self, deadline: float) -> Message:
        while b"\n" not in self._received:
            self._socket.settimeout(_left_s(deadline))
            received = self._socket.recv(RECEIVE_BYTES)
            if not received:
                raise ConnectionResetError(f"{self.path}: the other side hung up")
            self._received += received
        line, _, self._received = self._received.partition(b"\n")
        message: Message = json.loads(line)
        return message


def _left_s(deadline: float) -> float:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("it took too long to answer")
    return left_s
