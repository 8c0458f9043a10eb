"""What the operating system's errors mean to the user of a volume."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from drivers.errors import DriverError, Reason


class Meaning(NamedTuple):
    code: Reason
    sentence: str
    retryable: bool = False


FULL = Meaning(Reason.no_space, "The backend has no space left.")
FORBIDDEN = Meaning(
    Reason.unavailable,
    "The backend does not let us use its storage; an operator must correct its permissions.",
)
MISSING = Meaning(
    Reason.unavailable, "The backend's storage is missing; an operator must look at it."
)
AWAY = Meaning(Reason.unavailable, "The backend's storage does not answer.", retryable=True)
OVERLOADED = Meaning(Reason.busy, "The backend's host is overloaded at the moment.", retryable=True)

MEANINGS = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: Meaning(Reason.no_space, "The backend's storage quota is used up."),
    errno.EROFS: Meaning(
        Reason.unavailable, "The backend's storage is read-only; an operator must look at it."
    ),
    errno.EACCES: FORBIDDEN,
    errno.EPERM: FORBIDDEN,
    errno.ENOENT: MISSING,
    errno.ENOTDIR: MISSING,
    errno.EIO: Meaning(
        Reason.failed, "The backend's storage reported a read or write error.", retryable=True
    ),
    errno.EFBIG: Meaning(
        Reason.unsupported, "The backend's file system cannot hold a file of this size."
    ),
    **dict.fromkeys(
        (errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ETIMEDOUT, errno.ENODEV, errno.ENXIO),
        AWAY,
    ),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN), OVERLOADED),
}
UNKNOWN = Meaning(Reason.failed, "The backend's storage failed in an unexpected way.")


@contextmanager
def translated_os_errors() -> Iterator[None]:
    """Let an `OSError` leave as the `DriverError` it means. Also a decorator."""
    try:
        yield
    except OSError as error:
        meaning = MEANINGS.get(error.errno or 0, UNKNOWN)
        raise DriverError(
            meaning.sentence, code=meaning.code, retryable=meaning.retryable, detail=str(error)
        ) from error
