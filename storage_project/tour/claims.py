"""What the tour claims about a volume, and how it finds out whether that is so."""

from collections.abc import Iterator
from contextlib import contextmanager

from drivers.units import GIB
from drivers.volume.folder_space import STAT_BLOCK_BYTES
from storage_project.tour.disks import Disk, show_path
from storage_project.tour.step import Step
from storage_project.tour.tour import Tour, Volume


def lies_on(step: Step, disk: Disk, volume: Volume) -> None:
    """Its file is on this disk, and as long as the volume is large."""
    path = disk.path_of(volume.id)
    step.check(f"{show_path(path)} is there", path.exists())
    status = path.stat()
    taken_bytes = status.st_blocks * STAT_BLOCK_BYTES
    step.check(
        f"it is {volume.size_gib} GiB long, and takes {taken_bytes:,} bytes of the disk",
        status.st_size,
        volume.size_gib * GIB,
    )


def begins_with(step: Step, disk: Disk, volume: Volume, text: str) -> None:
    """The first bytes of its file are this text."""
    with disk.path_of(volume.id).open("rb") as file:
        found = file.read(len(text.encode()))
    step.check(f'it begins with "{text}"', found.decode(errors="replace"), text)


def lies_nowhere(step: Step, tour: Tour, volume: Volume) -> None:
    """No disk has a file of it."""
    paths = [disk.path_of(volume.id) for disk in tour.all_disks]
    found = [show_path(path) for path in paths if path.exists()]
    step.check("no disk has a file of it", found, [])


def has_status(step: Step, tour: Tour, volume: Volume, status: str) -> None:
    """The API says so."""
    step.check(f"its status is {status}", tour.status_of(volume), status)


def is_gone(step: Step, tour: Tour, volume: Volume) -> None:
    """The API does not know it any more."""
    step.check("there is no such volume any more", tour.status_of(volume), None)
    tour.volumes.remove(volume)


@contextmanager
def quota_counts(
    step: Step, tour: Tour, type_name: str, *, volumes: int = 0, snapshots: int = 0, gib: int = 0
) -> Iterator[None]:
    """The block makes the project's quota count so much more, in all and of the type."""
    before = _usage(tour)
    yield
    after = _usage(tour)
    changes = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    expected = {"volumes": volumes, "snapshots": snapshots, "gigabytes": gib}
    expected |= {f"{name}_{type_name}": change for name, change in expected.items()}
    step.check(
        f"the quota counts {_describe(volumes, snapshots, gib)}",
        changes,
        {name: change for name, change in expected.items() if change},
    )


def _usage(tour: Tour) -> dict[str, int]:
    """What the quota counts of each resource; what is only reserved, under a name of its own."""
    quota = tour.demo.get(f"/os-quota-sets/{tour.demo.project_id}", usage=True)["quota_set"]
    del quota["id"]
    in_use = {name: count["in_use"] for name, count in quota.items()}
    return in_use | {f"{name} (reserved)": count["reserved"] for name, count in quota.items()}


def _describe(volumes: int, snapshots: int, gib: int) -> str:
    """1 volume and 2 GiB more"""
    counted = [f"{abs(gib)} GiB {'more' if gib > 0 else 'less'}"]
    for number, name in ((snapshots, "snapshot"), (volumes, "volume")):
        if number:
            counted.insert(0, f"{abs(number)} {name}{'s' if abs(number) > 1 else ''}")
    *others, last = counted
    return f"{', '.join(others)} and {last}" if others else last
