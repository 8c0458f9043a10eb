"""os-brick at work, in a process of its own: it changes how the one that imports it behaves.

    python -m tests.clients.os_brick_process properties HOST
    python -m tests.clients.os_brick_process connect CONNECTION_INFO
    python -m tests.clients.os_brick_process targets CONNECTION_INFO

prints what os-brick returns, as JSON. It is os-brick as Nova and cinder's own client use it, but
for the root helper: what needs privileges runs in this process.
"""

import json
import sys
import tempfile
from typing import Any

import os_brick
from os_brick import privileged
from os_brick.initiator import connector
from oslo_config import cfg


def set_up(folder: str) -> None:
    cfg.CONF([], project="khoi")
    os_brick.setup(cfg.CONF)
    cfg.CONF.set_override("lock_path", folder, group="os_brick")
    privileged.default.set_client_mode(False)


def answer(what: str, argument: str) -> Any:
    if what == "properties":
        return connector.get_connector_properties("", "127.0.0.1", False, False, host=argument)
    info = json.loads(argument)
    found = connector.InitiatorConnector.factory(info["driver_volume_type"].upper(), "")
    if what == "connect":
        return found.connect_volume(info["data"])
    return found._get_all_targets(info["data"])  # what it will log in to


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        set_up(folder)
        sys.stdout.write(json.dumps(answer(*sys.argv[1:])) + "\n")
