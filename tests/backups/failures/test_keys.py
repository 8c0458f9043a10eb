"""A repository that is opened with another key than it was made with."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from backups.presence import _reporter
from drivers.errors import DriverError
from tests.accounts import open_account
from tests.backups.failures.site import BACKENDS, Site

ENCRYPTED = """
[repositories.main]
driver = "directory"
path = "backups"
key_file = "main.key"
[repositories.other]
driver = "directory"
path = "other"
"""


def test_a_wrong_key(site: Site, configure: Callable[[str], None], tmp_path: Path) -> None:
    key = tmp_path / "main.key"
    key.write_bytes(right := os.urandom(32))
    configure(BACKENDS + ENCRYPTED)
    volume, content = site.volume()
    kept = site.back_up(volume)
    assert kept["container"] == "main"

    key.write_bytes(os.urandom(32))
    configure(BACKENDS + ENCRYPTED)  # as a worker that starts
    sentence = "The key does not open this repository."
    with pytest.raises(DriverError, match=sentence):
        _reporter("main")()
    services = open_account("admin").client().get("/v3/os-services?binary=cinder-backup").json()
    states = {each["host"].partition("@")[2]: each for each in services["services"]}
    assert (states["main"]["state"], states["main"]["down_reason"]) == ("down", sentence)
    assert states["other"]["state"] == "up"
    asked = {"backup": {"volume_id": volume, "container": "main"}}
    failed = site.api.post("/v3/backups", asked).json()["backup"]["id"]
    site.world.engine.run()
    site.require_failed(site.backup(failed), volume, f"main: {sentence}")
    assert site.restore(kept["id"], volume)["status"] == "available"
    assert sentence in site.last_message()
    assert site.holds(volume, content)
    # Who does not insist gets one that works.
    elsewhere = site.back_up(volume)
    assert (elsewhere["status"], elsewhere["container"]) == ("available", "other")

    key.write_bytes(right)
    configure(BACKENDS + ENCRYPTED)
    site.require_restorable(kept["id"], content)
    site.require_restorable(elsewhere["id"], content)
