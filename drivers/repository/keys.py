"""What every repository driver refuses, in the same words."""

import re

from drivers.errors import DriverError, Reason

LONGEST = 200
WORD = "[A-Za-z0-9_-][A-Za-z0-9_.-]*"
KEY = re.compile(f"{WORD}(?:/{WORD})*")


def is_word(name: str) -> bool:
    """Tell whether this may be a word of a key: `..`, and what hides behind a dot, may not."""
    return re.fullmatch(WORD, name) is not None


def is_key(name: str) -> bool:
    """Tell whether this keeps the rules of `drivers.repository.base`."""
    return len(name) <= LONGEST and KEY.fullmatch(name) is not None


def require_key(key: str) -> str:
    """Return a key that keeps the rules; refuse any other.

    Keys become paths and addresses, so nothing may pass that means something there.
    """
    if not is_key(key):
        raise DriverError(
            "The object has a name that is not allowed.", code=Reason.invalid, detail=f"key {key!r}"
        )
    return key


def require_prefix(prefix: str) -> str:
    """Return a prefix that is empty, or a key with a `/` behind it; refuse any other."""
    if prefix:
        require_key(prefix.removesuffix("/"))
        if not prefix.endswith("/"):
            raise DriverError(
                "A list needs whole words to begin with.",
                code=Reason.invalid,
                detail=f"prefix {prefix!r}",
            )
    return prefix


def require_range(offset: int, length: int) -> None:
    """Refuse a range that no object could have."""
    if offset < 0 or length < 0:
        raise DriverError(
            "The range makes no sense.", code=Reason.invalid, detail=f"{length} bytes at {offset}"
        )


def missing_object(key: str) -> DriverError:
    """The error of an act whose object is not there."""
    return DriverError(
        "An object is not in the repository.", code=Reason.not_found, detail=f"key {key}"
    )


def ends_early(key: str, offset: int, length: int) -> DriverError:
    """The error of reading past the end of an object."""
    return DriverError(
        "An object in the repository is shorter than it was.",
        code=Reason.corrupt,
        detail=f"key {key}: there are no {length} bytes at {offset}",
    )
