"""A repository whose objects are not what was written, or are not there."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from backups.contents import open_contents
from tests.backups.failures.site import BACKENDS, Site

IN_A_FOLDER = """
[repositories.main]
driver = "directory"
path = "backups"
"""


def truncate(pack: Path) -> None:
    with pack.open("r+b") as file:
        file.truncate(pack.stat().st_size // 2)


def flip(pack: Path) -> None:
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 1
    pack.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (truncate, "An object in the repository is shorter than it was"),
        (flip, "A block of the backup is damaged"),
        (Path.unlink, "A pack of the repository is missing"),
    ],
    ids=["truncated", "flipped", "missing"],
)
def test_a_damaged_pack(
    site: Site,
    configure: Callable[[str], None],
    tmp_path: Path,
    harm: Callable[[Path], None],
    sentence: str,
) -> None:
    configure(BACKENDS + IN_A_FOLDER)
    packs = tmp_path / "backups" / "packs"
    (hit, _), (other, content) = site.volume(), site.volume()
    lost = site.back_up(hit)["id"]
    of_the_first = {*packs.rglob("*/*")}
    kept = site.back_up(other)["id"]
    for pack in of_the_first:
        harm(pack)

    restored = site.restore(lost)
    assert restored["status"] == "error_restoring"
    # What the restore met, and how much a look at all of it has found lost.
    assert any(sentence in each for each in site.messages())
    assert any("are lost" in each for each in site.messages())
    assert site.backup(lost)["status"] == "available"
    site.require_restorable(kept, content)
    # Who tries it with the volume itself may have what is whole again.
    assert site.restore(lost, hit)["status"] == "error_restoring"
    assert site.restore(kept, hit)["status"] == "available"
    assert site.holds(hit, content)


def test_a_damaged_manifest(site: Site, configure: Callable[[str], None], tmp_path: Path) -> None:
    configure(BACKENDS + IN_A_FOLDER)
    (hit, before), (other, content) = site.volume(), site.volume()
    lost, kept = site.back_up(hit)["id"], site.back_up(other)["id"]
    (manifest,) = (tmp_path / "backups" / "backups").rglob(lost)
    truncate(manifest)
    assert site.restore(lost, hit)["status"] == "available"
    assert "The manifest of the backup is damaged" in site.last_message()
    assert site.holds(hit, before)
    site.require_restorable(kept, content)
    site.delete(lost)
    assert not site.has(lost)


def test_a_missing_index(site: Site, configure: Callable[[str], None], tmp_path: Path) -> None:
    """Whoever misses it makes it anew, and backups go on without it."""
    configure(BACKENDS + IN_A_FOLDER)
    (one, content), (two, other) = site.volume(), site.volume()
    kept = site.back_up(one)["id"]
    shutil.rmtree(tmp_path / "backups" / "index")
    shutil.rmtree(tmp_path / "cache")
    open_contents.cache_clear()  # as a worker that starts
    fresh = site.back_up(two)["id"]
    site.require_restorable(fresh, other)
    site.require_restorable(kept, content)
