"""What the administrator sets up for the tour, and puts back."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from storage_project.tour.disks import Disk
from storage_project.tour.tour import Tour, wait_until
from storage_project.tour.trouble import Trouble
from volumes.backends import BINARY

OUT_OF_USE = "Only the tour of make demo uses it"


def wait_for_pools(tour: Tour) -> None:
    """Return once every disk has told how much room it has; those of the tour are then out of use,
    until a chapter needs them."""
    wanted = {disk.pool for disk in tour.all_disks}

    def up() -> bool:
        pools = tour.admin.get("/scheduler-stats/get_pools", detail=True)["pools"]
        return wanted <= {
            pool["name"] for pool in pools if pool["capabilities"]["backend_state"] == "up"
        }

    wait_until(up, "the backends to tell how much room they have")
    for disk in tour.own_disks:
        set_disk_enabled(tour, disk, False)


def offer_type(tour: Tour, name: str, backends: str) -> None:
    """Make a type whose volumes go to `backends` and nowhere else; it may be there already.

    `Trouble` when there is one of that name for something else: that is somebody's own.
    """
    specs = {"volume_backend_name": backends}
    types = tour.admin.get("/types", is_public="None", name=name)["volume_types"]
    if not types:
        tour.admin.post("/types", {"volume_type": {"name": name, "extra_specs": specs}})
    elif types[0]["extra_specs"] != specs or not types[0]["is_public"]:
        raise Trouble(f"There is a type {name} already, for something else; the tour leaves it so.")


@contextmanager
def disk_in_use(tour: Tour, disk: Disk, type_name: str, backends: str) -> Iterator[None]:
    """For the block, a type whose volumes may go to a disk of the tour's, among these backends.

    After it, nobody's volume is sent there any more.
    """
    with ExitStack() as afterwards:
        afterwards.callback(set_disk_enabled, tour, disk, False)
        set_disk_enabled(tour, disk, True)
        afterwards.callback(_withdraw_type, tour, type_name)
        offer_type(tour, type_name, backends)
        yield


def set_disk_enabled(tour: Tour, disk: Disk, enabled: bool) -> None:
    """Whether volumes are sent to this disk."""
    service = {"binary": BINARY, "host": disk.host}
    if enabled:
        tour.admin.put("/os-services/enable", service)
    else:
        reason = {"disabled_reason": OUT_OF_USE}
        tour.admin.put("/os-services/disable-log-reason", service | reason)


def _withdraw_type(tour: Tour, name: str) -> None:
    """Delete a type, and the volumes that the tour has of it."""
    for volume in [*tour.volumes]:
        if volume.type_name == name:
            tour.discard(volume)
    for volume_type in tour.admin.get("/types", name=name)["volume_types"]:
        tour.admin.delete(f"/types/{volume_type['id']}")
