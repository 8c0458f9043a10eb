from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volumes.scheduler.extra_specs import OPERATORS, meets, type_zones, unmet_demands

# What is offered, the demands that it meets, the demands that it does not.
CASES: list[tuple[Any, list[str], list[str]]] = [
    # No operator: the whole text must be the value.
    ("gold", ["gold"], ["Gold", "gold ", "go", ""]),
    ("two words", ["two words"], ["two"]),
    ("", [""], ["x"]),
    (7200, ["7200"], ["7200.0", "720"]),
    (True, ["True", "true"], ["False", "1", "yes"]),
    (False, ["false"], ["true", ""]),
    # Numbers. "=" is ">=", and there is neither ">" nor "<".
    (5, ["= 5", "= 4", "== 5", "== 5.0", ">= 5", "<= 5", "!= 4"], ["= 6", "== 4", "!= 5", ">= 6"]),
    ("5.5", [">= 5", "<= 6", "== 5.5"], ["<= 5", "== 5"]),
    (5, [], ["> 4", "< 6", ">=5", "==5"]),
    ("> 4", ["> 4"], []),
    (5, [], [">= many", "!= many", "<= ", "= "]),
    ("many", [], [">= 1", "!= 1", "<= 1"]),
    ([5], [], [">= 5", "!= 4"]),
    (10**400, [], [">= 1"]),
    # Text. 10 is less than 9 here.
    ("b", ["s== b", "s!= a", "s> a", "s>= b", "s< c", "s<= b"], ["s== a", "s!= b", "s> b", "s< b"]),
    ("b", [], ["s>= c", "s<= a"]),
    ("b", ["s== b and the rest is not read"], ["s==", "s!="]),
    (10, ["s< 9", "s== 10"], ["s> 9"]),
    # Truth, in the words that OpenStack takes for it.
    (True, ["<is> True", "<is> yes", "<is> 1", "<is> on", "<is> T"], ["<is> False", "<is> no"]),
    (False, ["<is> False", "<is> no", "<is> nonsense"], ["<is> True", "<is>"]),
    ("true", ["<is> True"], ["<is> False"]),
    (1, ["<is> True"], ["<is> False"]),
    # Part of a text, member of a list, key of an object.
    ("raid5", ["<in> raid", "<in> 5"], ["<in> raid6", "<in>"]),
    (
        ["ssd", 7200],
        ["<in> ssd", "<in> 7200", "<all-in> 7200 ssd"],
        ["<in> ss", "<all-in> ssd nvme"],
    ),
    ({"ssd": 1}, ["<in> ssd"], ["<in> 1"]),
    ("aes vmx", ["<all-in> aes vmx"], ["<all-in> aes svm", "<all-in>"]),
    # One of several.
    ("b", ["<or> a <or> b", "<or> b", "<or> b <or>"], ["<or> a <or> c", "<or> a b", "<or>"]),
    (True, ["<or> true <or> maybe"], ["<or> false"]),
    # A capability that is not there meets nothing.
    (None, [], ["", "None", "s!= a", "!= 1", "<is> False", "<or> None", "<in> N"]),
]


@pytest.mark.parametrize(
    ("offered", "demand"), [(offered, demand) for offered, met, _ in CASES for demand in met]
)
def test_demand_is_met(offered: Any, demand: str) -> None:
    assert meets(offered, demand)


@pytest.mark.parametrize(
    ("offered", "demand"), [(offered, demand) for offered, _, unmet in CASES for demand in unmet]
)
def test_demand_is_not_met(offered: Any, demand: str) -> None:
    assert not meets(offered, demand)


def test_every_operator_has_a_case_that_is_met_and_one_that_is_not() -> None:
    for index in (1, 2):
        symbols = {demand.split()[0] for case in CASES for demand in case[index] if demand.strip()}
        assert OPERATORS.keys() <= symbols


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=5,
)
ANY_DEMAND = st.text() | st.lists(st.sampled_from([*OPERATORS, "1", "true", "a", ""])).map(" ".join)


@given(offered=ANY_JSON, demand=ANY_DEMAND)
def test_no_value_and_no_demand_raises(offered: Any, demand: str) -> None:
    assert meets(offered, demand) in (True, False)


@given(offered=st.integers(-(2**50), 2**50) | st.floats(allow_nan=False), bound=st.integers())
def test_numbers_are_ordered(offered: float, bound: int) -> None:
    below, equal, above = (meets(offered, f"{symbol} {bound}") for symbol in ("<=", "==", ">="))
    assert below or above
    assert equal == (below and above)
    assert equal != meets(offered, f"!= {bound}")


def test_unmet_demands_are_described_in_the_order_of_their_keys() -> None:
    demands = {"tier": "gold", "iops": ">= 500", "compression": "<is> True", "spare": "1"}
    assert unmet_demands(demands, {"iops": 100, "compression": False, "spare": 1}) == [
        "compression <is> True",
        "iops >= 500",
        "tier=gold",
    ]


@pytest.mark.parametrize("key", ["vendor:tier", "RESKEY:availability_zones", "qos:a:b", ":tier"])
def test_other_scopes_are_not_the_schedulers(key: str) -> None:
    assert unmet_demands({key: "whatever"}, {}) == []


@pytest.mark.parametrize("key", ["tier", "capabilities:tier"])
def test_scope_capabilities_may_be_left_out(key: str) -> None:
    assert unmet_demands({key: "gold"}, {"tier": "gold"}) == []
    assert unmet_demands({key: "gold"}, {"tier": "tin"}) == ["tier=gold"]


def test_capability_inside_another() -> None:
    demands = {"capabilities:raid:level": ">= 5"}
    assert unmet_demands(demands, {"raid": {"level": 6}}) == []
    for raid in ({"level": 1}, {}, "6", None):
        assert unmet_demands(demands, {"raid": raid}) == ["raid:level >= 5"]
    assert unmet_demands(demands, {}) == ["raid:level >= 5"]


def test_type_zones() -> None:
    assert type_zones({}) == type_zones({"RESKEY:availability_zones": " , "}) == frozenset()
    assert type_zones({"RESKEY:availability_zones": "nova, az2"}) == {"nova", "az2"}
