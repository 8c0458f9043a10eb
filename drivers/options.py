"""Turns a table of the configuration file into a driver's own dataclass, or says what is wrong.

A driver declares what it accepts once, as a dataclass, and gets checked values:

    @dataclass(frozen=True, kw_only=True)
    class Options:
        path: Path = option("the folder that holds the volumes")
        capacity_gib: float | None = option("treat the folder as a disk of this size", None)

The types understood are `str`, `bool`, `int`, `float`, `Path`, `Literal[…]`, `list[str]`, and any
of them `| None`.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, field, fields
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
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


def option(
    meaning: str,
    default: Any = MISSING,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
) -> Any:
    """A dataclass field with its meaning and bounds; without a default it must be given."""
    limits = {"at_least": at_least, "above": above, "at_most": at_most}
    return field(default=default, metadata={"meaning": meaning, "limits": limits})


def read_options(cls: type[OptionsT], values: Mapping[str, Any], *, where: str) -> OptionsT:
    """Return an instance of the dataclass `cls` made of `values`.

    Raises `ConfigurationError`, which begins with the key (`backends.fast.pth: …`), for a key that
    is unknown, missing, of another type or out of bounds. `where` is the table's own name.
    """
    known = {each.name: each for each in fields(cls)}
    for key in values:
        if key not in known:
            raise ConfigurationError(f"{where}.{key}: unknown key; {_suggestion(key, known)}")
    types = get_type_hints(cls)
    checked = {}
    for name, each in known.items():
        key = f"{where}.{name}"
        if name in values:
            checked[name] = _read_value(values[name], types[name], key)
            _check_limits(checked[name], each, key)
        elif each.default is MISSING and each.default_factory is MISSING:
            raise ConfigurationError(f"{key}: missing; it is {_meaning(each)}")
    return cls(**checked)


def _suggestion(key: str, known: Mapping[str, Field[Any]]) -> str:
    close = get_close_matches(key, known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"known are {', '.join(sorted(known))}" if known else "this driver takes no options"


def _meaning(each: Field[Any]) -> str:
    return str(each.metadata.get("meaning", "needed"))


def _read_value(value: Any, wanted: Any, key: str) -> Any:
    origin = get_origin(wanted)
    if origin in (Union, UnionType):
        # TOML has no null: an optional key is left out, so what is given must be the other type.
        (wanted,) = (each for each in get_args(wanted) if each is not NoneType)
        return _read_value(value, wanted, key)
    if origin is Literal:
        if value not in get_args(wanted):
            choices = ", ".join(repr(choice) for choice in get_args(wanted))
            raise ConfigurationError(f"{key}: must be one of {choices}, not {value!r}")
        return value
    if origin is list:
        if not isinstance(value, list):
            raise ConfigurationError(f"{key}: must be a list, not {value!r}")
        (inner,) = get_args(wanted)
        return [_read_value(each, inner, f"{key}[{index}]") for index, each in enumerate(value)]
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if wanted is Path and isinstance(value, str) and value:
        return Path(value)
    # Exactly: `true` is not the number 1. TOML also knows `nan` and `inf`, which limit nothing.
    if type(value) is not wanted or (wanted is float and not isfinite(value)):
        raise ConfigurationError(f"{key}: must be {WORDS[wanted]}, not {value!r}")
    return value


def _check_limits(value: Any, each: Field[Any], key: str) -> None:
    limits: Mapping[str, float | None] = each.metadata.get("limits", {})
    at_least, above, at_most = (limits.get(name) for name in ("at_least", "above", "at_most"))
    if at_least is not None and value < at_least:
        raise ConfigurationError(f"{key}: must be at least {at_least:g}, not {value:g}")
    if above is not None and value <= above:
        raise ConfigurationError(f"{key}: must be more than {above:g}, not {value:g}")
    if at_most is not None and value > at_most:
        raise ConfigurationError(f"{key}: must be at most {at_most:g}, not {value:g}")
