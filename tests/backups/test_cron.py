"""Slots: as Debian's cron has them, also where clocks change."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.cron import Cron, CronError


def slots(expression: str, time_zone: str, start: datetime, number: int) -> list[str]:
    """The first slots after a time, in UTC."""
    cron, found = Cron(expression, time_zone), []
    for _ in range(number):
        following = cron.after(start)
        assert following is not None
        assert following > start
        found.append(f"{following:%m-%d %H:%M}")
        start = following
    return found


def at(month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def test_by_the_clocks_of_its_people() -> None:
    assert slots("30 2 * * *", "UTC", at(3, 27, 12), 2) == ["03-28 02:30", "03-29 02:30"]
    # 02:30 is left out on the 29th: it comes when the clocks have gone on to 03:00.
    spring = slots("30 2 * * *", "Europe/Berlin", at(3, 27, 12), 3)
    assert spring == ["03-28 01:30", "03-29 01:00", "03-30 00:30"]
    # 02:30 comes twice on the 25th, the slot once.
    autumn = slots("30 2 * * *", "Europe/Berlin", at(10, 24, 12), 2)
    assert autumn == ["10-25 00:30", "10-26 01:30"]
    # Asked between the two: the slot has been.
    assert slots("45 2 * * *", "Europe/Berlin", at(10, 25, 1, 10), 1) == ["10-26 01:45"]


def test_what_comes_often_goes_by_the_time_that_passes() -> None:
    assert slots("0 * * * *", "Europe/Berlin", at(3, 29, 0, 30), 2) == [
        "03-29 01:00",
        "03-29 02:00",
    ]
    autumn = slots("*/30 * * * *", "Europe/Berlin", at(10, 24, 23, 45), 5)
    assert autumn == [f"10-25 0{time}" for time in ("0:00", "0:30", "1:00", "1:30", "2:00")]


def test_two_that_fall_together_come_once() -> None:
    assert slots("0 2,3 * * *", "Europe/Berlin", at(3, 28, 12), 2) == ["03-29 01:00", "03-30 00:00"]


@pytest.mark.parametrize(
    ("expression", "down_for", "latest"),
    [
        ("0 2 * * *", timedelta(days=400), at(10, 25)),
        ("* * * * *", timedelta(days=400), at(10, 25, 10)),
        ("*/7 * * * *", timedelta(minutes=63), at(10, 25, 10)),
        ("0 0 1 1 *", timedelta(days=300), datetime(2025, 12, 31, 23, tzinfo=UTC)),
        ("0 0 1 1 *", timedelta(days=5000), datetime(2025, 12, 31, 23, tzinfo=UTC)),
    ],
)
def test_the_latest_slot(expression: str, down_for: timedelta, latest: datetime) -> None:
    cron, now = Cron(expression, "Europe/Berlin"), at(10, 25, 10)
    first = cron.after(now - down_for)
    assert first is not None
    assert cron.latest(first, now) == latest


def test_the_first_is_the_latest_when_it_has_just_come() -> None:
    assert Cron("0 0 1 1 *", "UTC").latest(at(10, 25), at(10, 25, 0, 1)) == at(10, 25)


def test_a_day_that_no_month_has() -> None:
    assert Cron("0 0 30 2 1#5", "UTC").after(at(1, 1)) is not None  # either of the two
    with pytest.raises(CronError, match="cannot be read"):
        Cron("0 0 30 2 *", "UTC")


@pytest.mark.parametrize("expression", ["", "* * * *", "* * * * * *", "60 * * * *", "@daily", "a"])
def test_what_is_no_expression(expression: str) -> None:
    with pytest.raises(CronError) as refused:
        Cron(expression, "UTC")
    assert refused.value.field == "cron"


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "Europe", "../../etc/passwd", "CEST", "a" * 64]
)
def test_what_is_no_time_zone(name: str) -> None:
    with pytest.raises(CronError) as refused:
        Cron("* * * * *", name)
    assert refused.value.field == "time_zone"


FIELDS = st.text("*0123456789,-/#LWlw ²abJANMON", max_size=8)


@given(expression=st.lists(FIELDS, min_size=4, max_size=6).map(" ".join) | st.text(max_size=20))
def test_nonsense_is_refused_and_nothing_else_happens(expression: str) -> None:
    try:
        cron = Cron(expression, "Europe/Berlin")
    except CronError:
        return
    cron.after(at(1, 1))
