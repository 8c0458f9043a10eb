"""The two ways to say no: an act that failed, and a configuration that is wrong."""

from collections.abc import Callable
from enum import StrEnum
from functools import partial


class Reason(StrEnum):
    """Why a driver could not do what it was asked. The caller decides by it, never by the text."""

    no_space = "no_space"  # the backend is full, or kept back what is left
    not_found = "not_found"  # the volume or snapshot that the act needs is not there
    busy = "busy"  # somebody else works on the same thing just now
    unavailable = "unavailable"  # the backend cannot be reached or refuses us
    unsupported = "unsupported"  # this backend never can
    invalid = "invalid"  # the request makes no sense to any backend
    corrupt = "corrupt"  # what is stored is not what was written
    failed = "failed"  # anything else


class DriverError(Exception):
    """An act of a driver failed, and left nothing half-made behind.

    `sentence` is fit for the user who asked: no paths, no host names, no secrets. `detail` is the
    raw text for the operator's log. `retryable` says that the same call may succeed in a moment;
    without it, asking the same backend again is pointless.
    """

    def __init__(
        self, sentence: str, *, code: Reason, retryable: bool = False, detail: str = ""
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code
        self.retryable = retryable
        self.detail = detail

    def __repr__(self) -> str:
        return f"DriverError({self.sentence!r}, code={self.code.value}, detail={self.detail!r})"

    def __reduce__(self) -> tuple[Callable[[str], "DriverError"], tuple[str]]:
        # Keyword arguments are lost by default when an error travels between processes.
        remade = partial(type(self), code=self.code, retryable=self.retryable, detail=self.detail)
        return remade, (self.sentence,)


class ConfigurationError(Exception):
    """The configuration is wrong; the sentence names the key and says what to change."""
