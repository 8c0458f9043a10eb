"""Microversions: what a client asks for, what we speak, and how the two are brought together."""

import re
from functools import lru_cache
from typing import NamedTuple, Self

from storage_project.api.faults import BadRequest, NotAcceptable

HEADER = "OpenStack-API-Version"
# The names under which clients ask for a microversion of this service.
SERVICE_TYPES = frozenset({"volume", "block-storage"})


class Microversion(NamedTuple):
    """A version of the API, ordered: `Microversion(3, 9) < Microversion(3, 10)`."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "3.50"; anything else is a ValueError."""
        if not re.fullmatch(r"[1-9][0-9]{0,3}\.(0|[1-9][0-9]{0,3})", text, re.ASCII):
            raise ValueError(f"{text!r} is not a microversion")
        major, minor = text.split(".")
        return cls(int(major), int(minor))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


MIN = Microversion(3, 0)
MAX = Microversion(3, 71)


@lru_cache(maxsize=256)
def negotiate(header: str) -> Microversion:
    """The microversion for a value of the header, "volume 3.50, compute 2.1"; without one, MIN.

    400 when it cannot be read, 406 with our range when it is none that we speak.
    """
    for part in header.split(","):
        service, _, wanted = part.strip().partition(" ")
        if service.lower() in SERVICE_TYPES:
            return select(wanted.strip())
    return MIN


def select(wanted: str) -> Microversion:
    """The microversion that "3.50" or "latest" asks for; 400 or 406 as `negotiate`."""
    if wanted.lower() == "latest":
        return MAX
    try:
        version = Microversion.parse(wanted)
    except ValueError:
        raise BadRequest(
            f"API Version String {wanted[:32]!r} is of invalid format. "
            "Must be of format MajorNum.MinorNum, or latest."
        ) from None
    if not MIN <= version <= MAX:
        raise NotAcceptable(
            f"Version {version} is not supported by the API. "
            f"Minimum is {MIN} and maximum is {MAX}.",
            extra={"min_version": str(MIN), "max_version": str(MAX)},
        )
    return version
