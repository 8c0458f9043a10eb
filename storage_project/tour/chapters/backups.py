"""A volume is backed up, changes, is backed up again, is lost, and comes back."""

import hashlib
import os
import random
from pathlib import Path
from typing import Any

from drivers.units import GIB, KIB, MIB
from storage_project.config import configuration
from storage_project.tour.claims import has_status, is_gone, lies_nowhere, lies_on
from storage_project.tour.disks import Disk
from storage_project.tour.step import Step
from storage_project.tour.tour import MARK, Tour, Volume

DATA_BYTES = 128 * MIB
CHANGED_BYTES = DATA_BYTES // 100
TEXT = b"What a disk holds is partly text, which is small once it is compressed. " * 1024


def show_backups(tour: Tour) -> None:
    title = "Back up and restore"
    if not configuration().repositories:
        tour.begin(title, "No repository is configured, so there is nowhere to back up to.")
        return
    tour.begin(
        title,
        "A backup goes to a repository, which keeps each block once, however many backups have it. "
        "Every backup is a whole one; an incremental one has only had less to do.",
    )
    disk = tour.disks[0]
    with tour.step(f"Create a volume of 1 GiB, and write {DATA_BYTES // MIB} MiB to it") as step:
        volume = tour.create_volume(type_name=disk.name, size_gib=1)
        tour.follow(step, volume.id)
        _fill(disk.path_of(volume.id))
        lies_on(step, disk, volume)
    first = _back_up(tour, volume, "Back it up")
    with tour.step(f"Write {CHANGED_BYTES // KIB:,} KiB of it anew, here and there"):
        _change(disk.path_of(volume.id))
    second = _back_up(tour, volume, "Back it up again, incrementally", since=first)
    with tour.step("Verify it: read all that it needs, and compare") as step:
        tour.demo.post(f"/backups/{second['id']}/action", {"verify": {}})
        tour.follow(step, second["id"], kind="backup.verify")
        found = tour.demo.get(f"/backups/{second['id']}")["backup"]["verification"]
        step.check("every block is there, and is what was stored", found, "ok")
    _measure(tour, second)
    digest = _digest(disk, volume)
    with tour.step("Delete the volume") as step:
        tour.demo.delete(f"/volumes/{volume.id}")
        tour.follow(step, volume.id, kind="volume.delete")
        lies_nowhere(step, tour, volume)
        is_gone(step, tour, volume)
    with tour.step("Restore the second backup into a new volume") as step:
        answer = tour.demo.post(f"/backups/{second['id']}/restore", {"restore": {"name": "tour"}})
        restored = Volume(answer["restore"]["volume_id"], disk.name, 1)
        tour.demo.put(f"/volumes/{restored.id}", {"volume": {"metadata": MARK}})
        tour.volumes.append(restored)
        tour.follow(step, second["id"], kind="backup.restore")
        lies_on(step, disk, restored)
        has_status(step, tour, restored, "available")
    with tour.step("Compare it with what was lost") as step:
        found = _digest(disk, restored)
        step.check(f"all of its 1 GiB is as it was: sha256 {digest[:12]}…", found, digest)
    with tour.step("Delete the first backup, the second, and the restored volume") as step:
        for backup in (first, second):
            tour.demo.delete(f"/backups/{backup['id']}")
            tour.follow(step, backup["id"])
        tour.discard(restored)
        step.check("no backup of the tour is left", tour.backups(), [])


def _back_up(
    tour: Tour, volume: Volume, title: str, *, since: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The backup, as the API shows it."""
    body = {"volume_id": volume.id, "name": "tour", "metadata": MARK, "incremental": bool(since)}
    with tour.step(title) as step:
        answer = tour.demo.post("/backups", {"backup": body})
        tour.follow(step, answer["backup"]["id"])
        backup: dict[str, Any] = tour.demo.get(f"/backups/{answer['backup']['id']}")["backup"]
        step.check("it is available", backup["status"], "available")
        _tell_figures(step, backup)
        if since:
            step.check(
                "that is less than a tenth of what the first one sent",
                backup["transferred_bytes"] < since["transferred_bytes"] / 10,
            )
    return backup


def _tell_figures(step: Step, backup: dict[str, Any]) -> None:
    read, sent = backup["read_bytes"] / MIB, backup["transferred_bytes"] / MIB
    logical = backup["size"] * GIB // MIB
    step.tell(f"{logical:,} MiB in all; {read:,.1f} MiB were read, {sent:,.1f} MiB stored")


def _measure(tour: Tour, backup: dict[str, Any]) -> None:
    name = backup["container"]
    (found,) = tour.admin.get("/backup_repositories", name=name)["backup_repositories"]
    path = f"/backup_repositories/{found['id']}"
    with tour.step(f"Collect the repository {name}: free what nothing needs, and measure") as step:
        tour.admin.post(f"{path}/action", {"collect": {}})
        tour.follow(step, found["id"], kind="repository.collect", user=tour.admin)
        there = tour.admin.get(path)["backup_repository"]
        step.check("it has both backups", there["backups"] >= 2)
        logical, unique, stored = (
            there[f"{each}_bytes"] / MIB for each in ("logical", "unique", "stored")
        )
        step.tell(
            f"{logical:,.0f} MiB were backed up; {unique:,.1f} MiB of it differ, "
            f"and take {stored:,.1f} MiB"
        )


def _fill(path: Path) -> None:
    """Half of it random, half of it text, and on the disk."""
    with path.open("r+b") as file:
        for _ in range(DATA_BYTES // MIB):
            file.write(os.urandom(MIB // 2) + (TEXT * 8)[: MIB // 2])
        file.flush()
        os.fsync(file.fileno())


def _change(path: Path) -> None:
    """Some runs of 64 KiB."""
    with path.open("r+b") as file:
        for place in random.sample(range(DATA_BYTES // (64 * KIB)), CHANGED_BYTES // (64 * KIB)):
            file.seek(place * 64 * KIB)
            file.write(os.urandom(64 * KIB))
        file.flush()
        os.fsync(file.fileno())


def _digest(disk: Disk, volume: Volume) -> str:
    with disk.path_of(volume.id).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
