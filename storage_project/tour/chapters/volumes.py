"""A volume is made, grows, and goes."""

from storage_project.tour.claims import has_status, is_gone, lies_nowhere, lies_on, quota_counts
from storage_project.tour.tour import Tour


def show_create(tour: Tour) -> None:
    tour.begin(
        "Create",
        "The answer comes at once. Then the operation takes its four steps, each a Celery task; "
        "the result is a sparse file, which takes room only as it is written to.",
    )
    for size_gib, disk in enumerate(tour.disks, start=1):
        with (
            tour.step(f"Create a volume of {size_gib} GiB, type {disk.name}") as step,
            quota_counts(step, tour, disk.name, volumes=1, gib=size_gib),
        ):
            volume = tour.create_volume(type_name=disk.name, size_gib=size_gib)
            tour.follow(step, volume.id)
            lies_on(step, disk, volume)
            has_status(step, tour, volume, "available")


def show_extend(tour: Tour) -> None:
    tour.begin("Extend", "The room for its growth is reserved first, in the quota and on the disk.")
    disk, volume = tour.disks[0], tour.volumes[0]
    old_size_gib, volume.size_gib = volume.size_gib, volume.size_gib + 2
    with (
        tour.step(f"Extend the one on {disk.name} to {volume.size_gib} GiB") as step,
        quota_counts(step, tour, volume.type_name, gib=volume.size_gib - old_size_gib),
    ):
        action = {"os-extend": {"new_size": volume.size_gib}}
        tour.demo.post(f"/volumes/{volume.id}/action", action)
        tour.follow(step, volume.id)
        lies_on(step, disk, volume)
        has_status(step, tour, volume, "available")


def show_delete(tour: Tour) -> None:
    tour.begin("Delete", "The room and the quota are given back as the volume goes.")
    for volume in [*tour.volumes]:
        with (
            tour.step(f"Delete the volume of type {volume.type_name}") as step,
            quota_counts(step, tour, volume.type_name, volumes=-1, gib=-volume.size_gib),
        ):
            tour.demo.delete(f"/volumes/{volume.id}")
            tour.follow(step, volume.id)
            lies_nowhere(step, tour, volume)
            is_gone(step, tour, volume)
