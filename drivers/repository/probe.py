"""Tries what a repository is for, so that one which cannot do it is refused at start."""

import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta

from drivers.errors import DriverError, Reason
from drivers.repository.base import Buffer, RepositoryDriver

PREFIX = "probe/"
# What a killed check left behind goes when nobody can be at work on it any more.
ABANDONED_AFTER = timedelta(days=1)


def probe_key() -> str:
    """A key that nobody else uses."""
    return PREFIX + secrets.token_hex(16)


def probe(repository: RepositoryDriver) -> None:
    """Raise `DriverError` unless what is written is read, listed and deleted again."""
    key, content = probe_key(), secrets.token_bytes(64)
    try:
        repository.put(key, [content[:32], content[32:]])
        _require(repository.get(key) == content)
        _require(repository.get_range(key, 16, 32) == content[16:48])
        there = {each.key: each for each in repository.list_objects(PREFIX)}
        _require(key in there and there[key].size_bytes == len(content))
    finally:
        repository.delete([key])
    _require(all(each.key != key for each in repository.list_objects(PREFIX)))
    now = there[key].stored_at  # by the repository's own clock
    repository.delete(each.key for each in there.values() if now - each.stored_at > ABANDONED_AFTER)


def _require(condition: bool) -> None:
    if not condition:
        raise DriverError(
            "The repository does not give back what it was given.", code=Reason.corrupt
        )


def probe_creates_once(
    repository: RepositoryDriver, create: Callable[[str, Sequence[Buffer]], bool]
) -> bool:
    """Tell whether `create` of a key that is taken says so, and leaves what is there alone."""
    key = probe_key()
    try:
        return (
            create(key, [b"first"])
            and not create(key, [b"second"])
            and repository.get(key) == b"first"
        )
    finally:
        repository.delete([key])
