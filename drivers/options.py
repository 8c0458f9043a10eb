"""Turns a table of the configuration file into a driver's own dataclass, or says what is wrong.

A driver declares what it accepts once, as a dataclass, and gets checked values:

    @dataclass(frozen=True, kw_only=True)
    class Options:
        path: Annotated[Path, Option("the folder that holds the volumes")]
        capacity_gib: Annotated[float | None, Option("its size", above=0)] = None

The types understood are `str`, `bool`, `int`, `float`, `Path`, `Literal[…]`, lists of these,
`Mapping` for a table that somebody else checks, and any of them `| None`.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from drivers.errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

OptionsT = TypeVar("OptionsT", bound="DataclassInstance")

WORDS = {
    str: "text in quotes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Path: "a path in quotes",
}


@dataclass(frozen=True, slots=True)
class Option:
    """What an option means, in words that go on after "it is", and the bounds of a number."""

    meaning: str
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None

    def require_bounds(self, value: float, key: str) -> None:
        if self.at_least is not None and value < self.at_least:
            raise ConfigurationError(f"{key}: must be at least {self.at_least:g}, not {value:g}")
        if self.above is not None and value <= self.above:
            raise ConfigurationError(f"{key}: must be more than {self.above:g}, not {value:g}")
        if self.at_most is not None and value > self.at_most:
            raise ConfigurationError(f"{key}: must be at most {self.at_most:g}, not {value:g}")


def read_options(cls: type[OptionsT], values: Mapping[str, Any], *, where: str) -> OptionsT:
    """Return an instance of the dataclass `cls` made of `values`.

    Raises `ConfigurationError`, which begins with the key (`backends.fast.pth: …`), for a key that
    is unknown, missing, of another type or out of bounds. `where` is the table's own name.
    """
    known = {each.name: each for each in fields(cls)}
    for key in values:
        if key not in known:
            raise ConfigurationError(f"{where}.{key}: unknown key; {_suggestion(key, known)}")
    types = get_type_hints(cls, include_extras=True)
    checked = {}
    for name, each in known.items():
        if name in values:
            checked[name] = _read_value(values[name], types[name], f"{where}.{name}")
        elif each.default is MISSING and each.default_factory is MISSING:
            raise ConfigurationError(f"{where}.{name}: missing{_meaning(types[name])}")
    return cls(**checked)


def _suggestion(key: str, known: Mapping[str, object]) -> str:
    close = get_close_matches(key, known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"known are {', '.join(sorted(known))}" if known else "there are no options here"


def _meaning(wanted: Any) -> str:
    options = (each for each in get_args(wanted) if isinstance(each, Option))
    return "".join(f"; it is {each.meaning}" for each in options)


def _read_value(value: Any, wanted: Any, key: str) -> Any:
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin is Annotated:
        read = _read_value(value, arguments[0], key)
        for each in arguments[1:]:
            if isinstance(each, Option) and isinstance(read, int | float):
                each.require_bounds(read, key)
        return read
    if origin in (Union, UnionType):
        # TOML has no null: an optional key is left out, so what is given must be the other type.
        (wanted,) = (each for each in arguments if each is not NoneType)
        return _read_value(value, wanted, key)
    if origin is Literal:
        if value not in arguments:
            choices = ", ".join(repr(choice) for choice in arguments)
            raise ConfigurationError(f"{key}: must be one of {choices}, not {value!r}")
        return value
    if origin is list:
        if not isinstance(value, list):
            raise ConfigurationError(f"{key}: must be a list, not {value!r}")
        return [
            _read_value(each, arguments[0], f"{key}[{index}]") for index, each in enumerate(value)
        ]
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise ConfigurationError(f"{key}: must be a table, not {value!r}")
        return value
    return _read_plain_value(value, wanted, key)


def _read_plain_value(value: Any, wanted: type, key: str) -> Any:
    if wanted is float and type(value) is int:
        return float(value)
    if wanted is Path and isinstance(value, str) and value:
        return Path(value)
    # Exactly: `true` is not the number 1. TOML also knows `nan` and `inf`, which limit nothing.
    if type(value) is not wanted or (isinstance(value, float) and not isfinite(value)):
        raise ConfigurationError(f"{key}: must be {WORDS[wanted]}, not {value!r}")
    return value
