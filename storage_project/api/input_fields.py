"""Types of fields in request bodies, as lenient as Cinder's clients need and no more.

Everything has bounds that a database column can hold, so what passes here never fails there.
"""

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from rest_framework import serializers

INTEGER = re.compile(r"\s*[+-]?[0-9]{1,20}\s*", re.ASCII)
# What a 32-bit column holds.
MIN_INTEGER, MAX_INTEGER = -(2**31), 2**31 - 1
TRUE_WORDS = frozenset({"true", "t", "1", "yes", "y", "on"})
FALSE_WORDS = frozenset({"false", "f", "0", "no", "n", "off"})


def read_boolean(value: object) -> bool:
    """Read True, 1, "true", "True", "1", "yes", "on" and their opposites; else ValueError."""
    if isinstance(value, bool | int | str):
        word = str(value).strip().lower()
        if word in TRUE_WORDS:
            return True
        if word in FALSE_WORDS:
            return False
    raise ValueError(f"{value!r} is not a boolean")


class IntegerLike(serializers.IntegerField):
    """10 or "10"; not 10.0, "1.5" or true."""

    def __init__(
        self, *, min_value: int = MIN_INTEGER, max_value: int = MAX_INTEGER, **kwargs: Any
    ) -> None:
        super().__init__(min_value=min_value, max_value=max_value, **kwargs)

    def to_internal_value(self, data: object) -> int:
        if isinstance(data, bool) or not isinstance(data, int | str):
            self.fail("invalid")
        if isinstance(data, str) and not INTEGER.fullmatch(data):
            self.fail("invalid")
        return int(data)


class BooleanLike(serializers.BooleanField):
    """true, 1, "True", "1", "yes", "on" and their opposites; null where it is allowed."""

    def to_internal_value(self, data: object) -> bool:
        try:
            return read_boolean(data)
        except ValueError:
            self.fail("invalid", input=str(data)[:32])


class Text(serializers.CharField):
    """A string and nothing that merely can be written as one. At most 255 characters, as it is."""

    def __init__(
        self, *, max_length: int = 255, trim_whitespace: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(max_length=max_length, trim_whitespace=trim_whitespace, **kwargs)

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Choice(Text):
    """One of some words, in any case."""

    default_error_messages = {"choice": "Must be one of {words}."}

    def __init__(self, words: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = words

    def to_internal_value(self, data: object) -> str:
        word = super().to_internal_value(data).lower()
        if word not in self.words:
            self.fail("choice", words=", ".join(sorted(self.words)))
        return word


class NameField(Text):
    """A name: at most 255 characters, without white space around it; may be empty."""

    def __init__(self, *, allow_blank: bool = True, **kwargs: Any) -> None:
        super().__init__(allow_blank=allow_blank, trim_whitespace=True, **kwargs)


class IdField(serializers.UUIDField):
    """A UUID as text, with or without dashes."""

    def to_internal_value(self, data: object) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid", value=str(data)[:32])
        return super().to_internal_value(data)


class MetadataField(serializers.DictField):
    """Key-value pairs of strings: keys of 1 to 255 characters, values of up to 255."""

    child = Text(allow_blank=True)
    default_error_messages = {
        "key_length": "The key {name!r} must have 1 to 255 characters.",
    }

    def to_internal_value(self, data: Any) -> dict[str, str]:
        if isinstance(data, dict):
            for key in data:
                if not 1 <= len(key) <= 255:
                    self.fail("key_length", name=key[:32])
        return super().to_internal_value(data)
