"""What happens when a backend is full, and when no backend is left."""

from storage_project.operations.messages import Code
from storage_project.tour.claims import has_status, is_gone, lies_nowhere, lies_on, quota_counts
from storage_project.tour.stage import disk_in_use
from storage_project.tour.tour import Tour


def show_fall_through(tour: Tour) -> None:
    small, other = tour.small_disk, tour.disks[1]
    type_name = f"{small.name}-or-{other.name}"
    tour.begin(
        "A disk is full",
        f"The tour has brought a third backend, {small.name}: a small disk, full of somebody "
        "else's data. The scheduler prefers it; that it is full, only its driver can see.",
    )
    with (
        disk_in_use(tour, small, type_name, f"<or> {small.name} <or> {other.name}"),
        tour.step(f"Create a volume of 1 GiB, on {small.name} or {other.name}") as step,
        quota_counts(step, tour, type_name, volumes=1, gib=1),
    ):
        volume = tour.create_volume(type_name=type_name, size_gib=1)
        operation = tour.follow(step, volume.id)
        refusals = [entry["note"] for entry in operation["timeline"] if entry["note"]]
        step.check(
            f"{small.name} was tried first", [small.host in note for note in refusals], [True]
        )
        lies_on(step, other, volume)
        has_status(step, tour, volume, "available")


def show_no_backend(tour: Tour) -> None:
    small, size_gib = tour.small_disk, 20
    type_name = f"{small.name}-only"
    tour.begin(
        "No backend is left",
        "When none can take a volume, its owner is told why not, of every single one.",
    )
    with disk_in_use(tour, small, type_name, small.name):
        with (
            tour.step(f"Create a volume of {size_gib} GiB, on {small.name} only") as step,
            quota_counts(step, tour, type_name, volumes=1, gib=size_gib),
        ):
            volume = tour.create_volume(type_name=type_name, size_gib=size_gib)
            operation = tour.watch(step, volume.id)
            code = operation["error_code"]
            step.check("the operation failed because no backend can take it", code, Code.NO_BACKEND)
            messages = tour.demo.get("/messages", resource_uuid=volume.id)["messages"]
            step.check("its owner has one message", len(messages), 1)
            sentence = messages[0]["user_message"]
            step.quote(messages[0]["event_id"], sentence)
            unnamed = [disk.name for disk in tour.all_disks if disk.pool not in sentence]
            step.check("it says what is wrong with every backend", unnamed, [])
            lies_nowhere(step, tour, volume)
            has_status(step, tour, volume, "error")
        with (
            tour.step("Delete the one that was not made") as step,
            quota_counts(step, tour, type_name, volumes=-1, gib=-size_gib),
        ):
            tour.demo.delete(f"/volumes/{volume.id}")
            is_gone(step, tour, volume)
