"""Where Khoi listens: `STORAGE_ADDRESS`, `STORAGE_PORT` and `FLOWER_PORT`."""

import os
import socket
from dataclasses import dataclass

from drivers.errors import ConfigurationError

# Nobody but this machine, unless somebody asks for more: the connections are not encrypted.
DEFAULT_ADDRESS = "127.0.0.1"
DEFAULT_STORAGE_PORT = 8776
DEFAULT_FLOWER_PORT = 5555
BACKLOG = 2048
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - a comparison, not a bind


@dataclass(frozen=True)
class Address:
    """A host and a port that something listens on."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """How a client on this machine reaches it."""
        host = EVERYWHERE.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def listen_for_api() -> socket.socket:
    """Return the socket that web is to accept on.

    It stays open here while web is started again, so that clients wait instead of being refused.
    """
    return _listen("STORAGE_PORT", DEFAULT_STORAGE_PORT)


def find_flower_address() -> Address:
    """Return where Flower, which opens its own socket, is to listen."""
    with _listen("FLOWER_PORT", DEFAULT_FLOWER_PORT) as listener:
        return address_of(listener)


def address_of(listener: socket.socket) -> Address:
    """Return what a socket is bound to."""
    host, port, *_ = listener.getsockname()
    return Address(host, port)


def _listen(variable: str, default: int) -> socket.socket:
    """Port 0 is any free one. Raises `ConfigurationError` when the port cannot be had."""
    host = os.environ.get("STORAGE_ADDRESS") or DEFAULT_ADDRESS
    text = os.environ.get(variable) or str(default)
    if not text.isdecimal() or int(text) > 65535:
        raise ConfigurationError(f"{variable}: must be a port number, not {text!r}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, int(text)), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigurationError(
            f"{variable}: cannot listen on {host} port {text}: {os.strerror(error.errno or 0)}. "
            f"Another program may have it; set {variable} to a free port."
        ) from error
