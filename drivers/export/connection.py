"""The form of connection_info that os-brick and Nova read."""

from drivers.export.base import Export
from drivers.volume.base import JSON


def connection_info(driver_volume_type: str, export: Export, /, **data: JSON) -> dict[str, JSON]:
    """What a client needs to connect: what every protocol says, and `data`, which only one does."""
    return {
        "driver_volume_type": driver_volume_type,
        "data": {
            "volume_id": export.volume_id,
            "access_mode": "ro" if export.read_only else "rw",
            "encrypted": False,
            "qos_specs": None,
            **data,
        },
    }
