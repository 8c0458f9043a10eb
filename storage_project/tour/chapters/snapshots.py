"""A snapshot, and what can be made of it."""

from storage_project.tour.claims import begins_with, has_status, lies_on, quota_counts
from storage_project.tour.tour import Tour

BEFORE = "Alice has 1000"
AFTER = "Alice has none"


def show_snapshots(tour: Tour) -> None:
    tour.begin(
        "Snapshots and copies",
        "A snapshot is what a volume was at one moment. Volumes are made of it, and the volume "
        "itself can go back to it. The tour writes into the file of the volume, as a server would.",
    )
    disk, volume = tour.disks[0], tour.volumes[0]
    type_name, size_gib = volume.type_name, volume.size_gib
    disk.write(volume.id, BEFORE)
    with (
        tour.step(f"Take a snapshot of the volume of type {type_name}") as step,
        quota_counts(step, tour, type_name, snapshots=1, gib=size_gib),
    ):
        begins_with(step, disk, volume, BEFORE)
        wanted = {"volume_id": volume.id, "name": "tour"}
        snapshot_id: str = tour.demo.post("/snapshots", {"snapshot": wanted})["snapshot"]["id"]
        tour.follow(step, snapshot_id)
    disk.write(volume.id, AFTER)
    copies = []
    for title, source, text in (
        ("Make a volume of the snapshot", {"snapshot_id": snapshot_id}, BEFORE),
        ("Make a volume of the volume as it is now", {"source_volid": volume.id}, AFTER),
    ):
        with (
            tour.step(title) as step,
            quota_counts(step, tour, type_name, volumes=1, gib=size_gib),
        ):
            copy = tour.create_volume(type_name=type_name, size_gib=size_gib, **source)
            copies.append(copy)
            tour.follow(step, copy.id)
            lies_on(step, disk, copy)
            begins_with(step, disk, copy, text)
    with tour.step("Revert the volume to its snapshot") as step:
        action = {"revert": {"snapshot_id": snapshot_id}}
        tour.demo.post(f"/volumes/{volume.id}/action", action)
        tour.follow(step, volume.id)
        begins_with(step, disk, volume, BEFORE)
        has_status(step, tour, volume, "available")
    with (
        tour.step("Delete the two copies and the snapshot") as step,
        quota_counts(step, tour, type_name, volumes=-2, snapshots=-1, gib=-3 * size_gib),
    ):
        for copy in copies:
            tour.discard(copy)
        tour.demo.delete(f"/snapshots/{snapshot_id}")
        tour.follow(step, snapshot_id)
