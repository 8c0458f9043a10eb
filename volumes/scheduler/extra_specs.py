"""What a volume type demands of a pool: the extra specs, in the language that Cinder documents.

    compression = "<is> True"                     a demand: a capability, an operator, an operand
    capabilities:raid:level = ">= 5"              the same, on a capability inside another
    vendor:anything = "..."                       any other scope is the driver's business
    RESKEY:availability_zones = "nova, az2"       where volumes of the type may live

Two things surprise and are Cinder's: `=` means `>=`, and a capability that a pool does not have
meets no demand, not even `s!=`. One thing is kinder than Cinder, where a number or a boolean never
equals a text: here they are compared as text, so `compression=true` means what it says.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any

# (what the pool offers: any JSON value but null; the words after the operator: at least one)
Operator = Callable[[Any, list[str]], bool]

TRUE_WORDS = frozenset({"1", "t", "true", "on", "y", "yes"})


def unmet_demands(extra_specs: Mapping[str, str], capabilities: Mapping[str, Any]) -> list[str]:
    """Each demand that the capabilities do not meet, as text for people, ordered by key."""
    return [
        _describe(path, demand)
        for key, demand in sorted(extra_specs.items())
        if (path := _capability_path(key)) and not meets(_look_up(capabilities, path), demand)
    ]


def type_zones(extra_specs: Mapping[str, str]) -> frozenset[str]:
    """The availability zones that the type is limited to; empty is "no limit"."""
    zones = extra_specs.get("RESKEY:availability_zones", "").split(",")
    return frozenset(zone.strip() for zone in zones if zone.strip())


def meets(offered: Any, demand: str) -> bool:
    """Whether a capability's value meets a demand. Never raises: nonsense is not met.

    Without an operator the whole demand must equal the value. Only `<or>` and `<all-in>` read more
    than the first word after the operator.
    """
    if offered is None:
        return False
    symbol, operands = _parse(demand)
    if not symbol:
        return _equals(offered, demand)
    return bool(operands) and OPERATORS[symbol](offered, operands)


def _parse(demand: str) -> tuple[str, list[str]]:
    """The operator and the words after it; an empty operator when the demand begins with none."""
    first, *operands = demand.split() or [""]
    return (first, operands) if first in OPERATORS else ("", [])


def _numeric(compare: Callable[[float, float], bool]) -> Operator:
    def compare_numbers(offered: Any, operands: list[str]) -> bool:
        try:
            return compare(float(offered), float(operands[0]))
        except (TypeError, ValueError, OverflowError):
            return False

    return compare_numbers


def _textual(compare: Callable[[str, str], bool]) -> Operator:
    return lambda offered, operands: compare(str(offered), operands[0])


def _equals(offered: Any, wanted: str) -> bool:
    if isinstance(offered, bool):
        return str(offered).lower() == wanted.lower()
    return str(offered) == wanted


def _contains(offered: Any, wanted: str) -> bool:
    """A member of a list, a key of an object, or a part of a text."""
    if isinstance(offered, list | Mapping):
        return wanted in map(str, offered)
    return wanted in str(offered)


def _is_true(value: Any) -> bool:
    return str(value).lower() in TRUE_WORDS


OPERATORS: Mapping[str, Operator] = {
    "=": _numeric(operator.ge),
    "==": _numeric(operator.eq),
    "!=": _numeric(operator.ne),
    ">=": _numeric(operator.ge),
    "<=": _numeric(operator.le),
    "s==": _textual(operator.eq),
    "s!=": _textual(operator.ne),
    "s>=": _textual(operator.ge),
    "s>": _textual(operator.gt),
    "s<=": _textual(operator.le),
    "s<": _textual(operator.lt),
    "<is>": lambda offered, operands: _is_true(offered) is _is_true(operands[0]),
    "<in>": lambda offered, operands: _contains(offered, operands[0]),
    "<all-in>": lambda offered, operands: all(_contains(offered, word) for word in operands),
    # <or> this <or> that <or> those: every second word is the operator again.
    "<or>": lambda offered, operands: any(_equals(offered, word) for word in operands[::2]),
}


def _capability_path(key: str) -> list[str]:
    """The names that lead to the capability; empty when the key is not for the scheduler."""
    scope, *path = key.split(":")
    if not path:
        return [scope]
    return path if scope == "capabilities" else []


def _look_up(capabilities: Mapping[str, Any], path: list[str]) -> Any:
    """The value at the path, or None."""
    value: Any = capabilities
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _describe(path: list[str], demand: str) -> str:
    symbol, _ = _parse(demand)
    return f"{':'.join(path)}{' ' if symbol else '='}{demand}"
