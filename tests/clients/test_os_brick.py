"""os-brick, which connects hosts for Nova and others, with what Khoi tells it."""

import json
from pathlib import Path

from tests.clients.account import Account
from tests.clients.os_brick import os_brick
from tests.stack import HOST

PATTERN = b"written by the host" * 100


def test_connects_a_volume_that_is_a_file(demo: Account, clouds: Path) -> None:
    storage = demo.connection.block_storage
    volume = storage.create_volume(size=1, name="for os-brick")
    storage.wait_for_status(volume, "available")
    connector = os_brick("properties", HOST)
    assert connector["host"] == HOST
    created = storage.create_attachment(volume, connector=connector)
    info = dict(created.connection_info)
    device = os_brick(
        "connect", json.dumps({"driver_volume_type": info["driver_volume_type"], "data": info})
    )
    path = Path(device["path"])
    with path.open("r+b") as file:
        file.write(PATTERN)
    storage.complete_attachment(created)
    assert storage.get_volume(volume).status == "in-use"
    storage.delete_attachment(created)
    storage.wait_for_status(storage.get_volume(volume), "available")
    stored = clouds.parent / "volumes"
    [kept] = stored.glob(f"*/volumes/{volume.id}")
    assert kept == path
    assert path.read_bytes()[: len(PATTERN)] == PATTERN
    storage.delete_volume(volume)
