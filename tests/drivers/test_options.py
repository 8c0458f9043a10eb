from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from drivers.errors import ConfigurationError
from drivers.options import Option, read_options


@dataclass(frozen=True, kw_only=True)
class Options:
    path: Annotated[Path, Option("the folder that holds the volumes")]
    capacity_gib: Annotated[float | None, Option("its size", above=0)] = None
    min_free_mib: Annotated[int, Option("what is kept back", at_least=0)] = 128
    rate: Annotated[float, Option("how often", at_least=0, at_most=1)] = 0.0
    thin: bool = True
    mode: Literal["fast", "safe"] = "safe"
    monitors: list[str] = field(default_factory=list)
    more: Mapping[str, Any] = field(default_factory=dict)


def read(**values):
    return read_options(Options, {"path": "/srv", **values}, where="backends.fast")


def test_values_become_what_the_dataclass_says():
    assert read(
        capacity_gib=10, min_free_mib=0, thin=False, mode="fast", monitors=["a"], more={"x": 1}
    ) == Options(
        path=Path("/srv"),
        capacity_gib=10.0,
        min_free_mib=0,
        thin=False,
        mode="fast",
        monitors=["a"],
        more={"x": 1},
    )
    assert isinstance(read(capacity_gib=10).capacity_gib, float)


def test_what_is_left_out_has_its_default():
    assert read() == Options(path=Path("/srv"))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"pth": "/srv"}, "backends.fast.pth: unknown key; did you mean path?"),
        (
            {"zzz": 1},
            "backends.fast.zzz: unknown key; known are "
            "capacity_gib, min_free_mib, mode, monitors, more, path, rate, thin",
        ),
        ({"path": 3}, "backends.fast.path: must be a path in quotes, not 3"),
        ({"path": ""}, "backends.fast.path: must be a path in quotes, not ''"),
        ({"thin": "yes"}, "backends.fast.thin: must be true or false, not 'yes'"),
        ({"thin": 1}, "backends.fast.thin: must be true or false, not 1"),
        ({"min_free_mib": True}, "backends.fast.min_free_mib: must be a whole number, not True"),
        ({"min_free_mib": 1.5}, "backends.fast.min_free_mib: must be a whole number, not 1.5"),
        ({"min_free_mib": -1}, "backends.fast.min_free_mib: must be at least 0, not -1"),
        ({"capacity_gib": "10"}, "backends.fast.capacity_gib: must be a number, not '10'"),
        ({"capacity_gib": 0}, "backends.fast.capacity_gib: must be more than 0, not 0"),
        (
            {"capacity_gib": float("nan")},
            "backends.fast.capacity_gib: must be a number, not nan",
        ),
        (
            {"capacity_gib": float("inf")},
            "backends.fast.capacity_gib: must be a number, not inf",
        ),
        ({"rate": 1.5}, "backends.fast.rate: must be at most 1, not 1.5"),
        ({"mode": "slow"}, "backends.fast.mode: must be one of 'fast', 'safe', not 'slow'"),
        ({"monitors": "a"}, "backends.fast.monitors: must be a list, not 'a'"),
        ({"monitors": ["a", 1]}, "backends.fast.monitors[1]: must be text in quotes, not 1"),
        ({"more": 1}, "backends.fast.more: must be a table, not 1"),
    ],
)
def test_a_mistake_is_named_with_its_key(values, sentence):
    with pytest.raises(ConfigurationError) as caught:
        read(**values)
    assert str(caught.value) == sentence


def test_a_missing_key_is_explained():
    with pytest.raises(ConfigurationError) as caught:
        read_options(Options, {}, where="backends.fast")
    assert str(caught.value) == (
        "backends.fast.path: missing; it is the folder that holds the volumes"
    )
