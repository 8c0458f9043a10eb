"""What the operating system's errors mean to the user of a volume or a backup."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from drivers.errors import DriverError, Reason


class Meaning(NamedTuple):
    code: Reason
    sentence: str  # with the place of its `{owner}` left open
    retryable: bool = False


FULL = Meaning(Reason.no_space, "The {owner} has no space left.")
FORBIDDEN = Meaning(
    Reason.unavailable,
    "The {owner} does not let us use its storage; an operator must correct its permissions.",
)
MISSING = Meaning(
    Reason.unavailable, "The {owner}'s storage is missing; an operator must look at it."
)
AWAY = Meaning(Reason.unavailable, "The {owner}'s storage does not answer.", retryable=True)
OVERLOADED = Meaning(Reason.busy, "The {owner}'s host is overloaded at the moment.", retryable=True)

MEANINGS = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: Meaning(Reason.no_space, "The {owner}'s storage quota is used up."),
    errno.EROFS: Meaning(
        Reason.unavailable, "The {owner}'s storage is read-only; an operator must look at it."
    ),
    errno.EACCES: FORBIDDEN,
    errno.EPERM: FORBIDDEN,
    errno.ENOENT: MISSING,
    errno.ENOTDIR: MISSING,
    errno.EIO: Meaning(
        Reason.failed, "The {owner}'s storage reported a read or write error.", retryable=True
    ),
    errno.EFBIG: Meaning(
        Reason.unsupported, "The {owner}'s file system cannot hold a file of this size."
    ),
    **dict.fromkeys(
        (errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ETIMEDOUT, errno.ENODEV, errno.ENXIO),
        AWAY,
    ),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN), OVERLOADED),
}
UNKNOWN = Meaning(Reason.failed, "The {owner}'s storage failed in an unexpected way.")


@contextmanager
def translated_os_errors(owner: str = "backend") -> Iterator[None]:
    """Let an `OSError` leave as the `DriverError` it means. Also a decorator.

    `owner` is whose storage it is, for the sentence.
    """
    try:
        yield
    except OSError as error:
        meaning = MEANINGS.get(error.errno or 0, UNKNOWN)
        raise DriverError(
            meaning.sentence.format(owner=owner),
            code=meaning.code,
            retryable=meaning.retryable,
            detail=str(error),
        ) from error
