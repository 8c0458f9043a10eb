"""What every hypervisor driver names, refuses and derives in the same way."""

from collections.abc import Collection, Mapping
from itertools import count
from string import ascii_lowercase
from uuid import NAMESPACE_URL, uuid5

from drivers.errors import DriverError, Reason
from drivers.volume.base import JSON

# What tells an export from the others of its protocol, and of the same volume.
NAMES = {"gpfs": "device_path", "local": "device_path", "nbd": "export", "iscsi": "target_iqn"}


def derived_server_id(hypervisor: str, server: str) -> str:
    """The id of a server whose hypervisor knows it by a name only; the same in every process."""
    return str(uuid5(NAMESPACE_URL, f"khoi:hypervisors/{hypervisor}/servers/{server}"))


def no_such_server(server_id: str) -> DriverError:
    """The error of an act on a server that is not there."""
    return DriverError(
        "There is no such server.", code=Reason.not_found, detail=f"server {server_id}"
    )


def no_such_disk(serial: str) -> DriverError:
    """The error of an act on a disk that its server does not have."""
    return DriverError(
        "The server does not have this volume.", code=Reason.not_found, detail=f"serial {serial}"
    )


def not_running() -> DriverError:
    """The error of an attach to a server that is off."""
    return DriverError("The server is not running.", code=Reason.unavailable)


def no_slot() -> DriverError:
    """The error of an attach to a server that is full."""
    return DriverError(
        "The server has no free PCI slot for another disk; detach one, or start the server with "
        "more slots.",
        code=Reason.unsupported,
    )


def not_grown(detail: str) -> DriverError:
    """The error of an extend that finds an export as small as it was."""
    return DriverError(
        "The export of the volume has not grown yet.",
        code=Reason.unavailable,
        retryable=True,
        detail=detail,
    )


def grows_later(detail: str) -> DriverError:
    """The error of an extend of a read-only disk, which no hypervisor resizes."""
    return DriverError(
        "The server has the volume read-only, and sees that it has grown when it is attached anew.",
        code=Reason.unsupported,
        detail=detail,
    )


def in_use_elsewhere(detail: str) -> DriverError:
    """The error of an attach of a file that another process keeps for itself."""
    return DriverError(
        "The volume is open elsewhere, for another server perhaps.",
        code=Reason.busy,
        retryable=True,
        detail=detail,
    )


def former_disk(detail: str) -> DriverError:
    """The error of an attach to a server that has the volume over an export that is no more."""
    return DriverError(
        "The server still has the volume as it was attached before, and was asked to release it.",
        code=Reason.busy,
        retryable=True,
        detail=detail,
    )


def not_opened(detail: str) -> DriverError:
    """The error of an attach of a volume that is not where it should be, not now at least."""
    return DriverError(
        "The hypervisor could not open the volume.",
        code=Reason.unavailable,
        retryable=True,
        detail=detail,
    )


def not_built_in(detail: str) -> DriverError:
    """The error of an attach over a protocol that this very QEMU lacks."""
    return DriverError(
        "The server's QEMU was built without this protocol (Debian: qemu-block-extra).",
        code=Reason.unsupported,
        detail=detail,
    )


def unknown_protocol(protocol: JSON) -> DriverError:
    """The error of a connection_info that the hypervisor cannot follow."""
    return DriverError(
        f"The hypervisor cannot attach volumes over {protocol}.", code=Reason.unsupported
    )


def protocol_of(connection_info: Mapping[str, JSON]) -> tuple[str, Mapping[str, JSON]]:
    """Take a connection_info apart: its driver_volume_type, and what belongs to that."""
    protocol, data = connection_info.get("driver_volume_type"), connection_info.get("data")
    if not isinstance(protocol, str) or not isinstance(data, Mapping):
        raise DriverError("The connection information is incomplete.", code=Reason.invalid)
    return protocol, data


def leads_to(connection_info: Mapping[str, JSON], opened: str) -> bool:
    """Whether this is how a hypervisor reached what it has opened, by the name that it shows."""
    protocol, data = protocol_of(connection_info)
    return str(data.get(NAMES.get(protocol, ""), "")) in opened


def is_read_only(data: Mapping[str, JSON]) -> bool:
    """Whether an export lets nobody write."""
    return data.get("access_mode") == "ro"


def free_device(taken: Collection[str]) -> str:
    """The name that a Linux guest gives to the next virtio disk: the first that is not taken."""
    return next(name for name in map(_device_name, count()) if name not in taken)


def _device_name(index: int) -> str:
    """/dev/vda, /dev/vdb, … /dev/vdz, /dev/vdaa, …"""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, len(ascii_lowercase))
        letters = ascii_lowercase[rest] + letters
    return f"/dev/vd{letters}"
