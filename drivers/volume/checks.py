"""What every volume driver refuses, in the same words."""

from uuid import UUID

from drivers.errors import DriverError, Reason
from drivers.units import GIB


def is_uuid(value: str) -> bool:
    """Tell whether this is a UUID exactly as `str()` writes it: dashed, in lower case."""
    try:
        return value == str(UUID(value))
    except ValueError:
        return False


def require_uuid(value: str) -> str:
    """Return an id that is a UUID; everything else is refused as `invalid`.

    Ids become names on the backend, so nothing but hex digits and dashes may pass.
    """
    if not is_uuid(value):
        raise DriverError("The id is not a UUID.", code=Reason.invalid, detail=f"id {value!r}")
    return value


def bytes_to_gib(size_bytes: int) -> int:
    """Return the whole number of GiB that holds `size_bytes`."""
    return -(-size_bytes // GIB)


def require_size(size_gib: int, *, at_least_bytes: int = 0) -> int:
    """Return a size in bytes that is a positive number of GiB and no less than `at_least_bytes`."""
    if size_gib < 1:
        raise DriverError("The size must be at least 1 GiB.", code=Reason.invalid)
    size_bytes = size_gib * GIB
    if size_bytes < at_least_bytes:
        raise DriverError(
            f"The new volume must be at least as large as its source, "
            f"{bytes_to_gib(at_least_bytes)} GiB.",
            code=Reason.invalid,
        )
    return size_bytes


def require_pool(pool: str, known: str) -> None:
    """Refuse as `invalid` a pool that the backend does not have."""
    if pool != known:
        raise DriverError(
            "The backend has no such pool.", code=Reason.invalid, detail=f"pool {pool!r}"
        )


def missing(kind: str) -> DriverError:
    """The error of an act whose volume or snapshot is not there."""
    return DriverError(f"The {kind} is not on its backend.", code=Reason.not_found)


def overtaken() -> DriverError:
    """The error of a call that finds a newer one for the same id at work, or done."""
    return DriverError(
        "A newer request for the same volume took over.", code=Reason.busy, retryable=True
    )
