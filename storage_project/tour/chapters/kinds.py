"""Before anything: backends that work, and a volume type for each."""

from storage_project.tour.stage import offer_type, wait_for_pools
from storage_project.tour.tour import Tour


def show_kinds(tour: Tour) -> None:
    tour.begin(
        "Two kinds of storage",
        "Each backend is a folder on this machine. A volume type whose extra spec "
        "volume_backend_name is the name of a backend puts its volumes there and nowhere else.",
    )
    with tour.step("Wait until every backend has told how much room it has"):
        wait_for_pools(tour)
    for disk in tour.disks:
        with tour.step(f"Offer the type {disk.name}"):
            offer_type(tour, disk.name, backends=disk.name)
