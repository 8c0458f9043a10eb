"""Retention: what is kept after ten years of backups, and what is said about each."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.retention import PERIODS, Candidate, Decision, Rules, plan

DAY = timedelta(days=1)
START = datetime(2016, 1, 1, 3, 0, tzinfo=UTC)
TEN_YEARS = 3653  # days; from a Friday to New Year's Eve


def taken(number: int, **values: object) -> Candidate:
    """The backup of a day."""
    return Candidate(backup_id=f"{number:05}", taken_at=START + number * DAY, **values)


def kept(decisions: Sequence[Decision]) -> list[Candidate]:
    return [decision.backup for decision in decisions if decision.keep]


def simulate(rules: Rules, *, days: int = TEN_YEARS) -> list[Candidate]:
    """Take a backup every day and prune after each; what is left at the end, newest first."""
    stored: list[Candidate] = []
    for number in range(days):
        stored.append(taken(number))
        stored = kept(plan(stored, rules, now=START + number * DAY))
    return stored


def test_ten_years_of_days() -> None:
    left = simulate(Rules(daily=7, weekly=4, monthly=12, yearly=5))
    days = [f"{backup.taken_at:%Y-%m-%d}" for backup in left]
    assert days[:7] == [f"2025-12-{day}" for day in range(31, 24, -1)]
    # Weeks that the days do not cover, each by its Sunday.
    assert days[7:11] == ["2025-12-21", "2025-12-14", "2025-12-07", "2025-11-30"]
    # Months before: the newest of each that the weeks have left of it.
    assert [day[:7] for day in days[11:23]] == [
        *(f"2025-{month:02}" for month in range(10, 0, -1)),
        "2024-12",
        "2024-11",
    ]
    assert [day[:4] for day in days[23:]] == ["2023", "2022", "2021", "2020", "2019"]
    # The last Sunday of each: when December's turn to keep one came, the weeks still covered it.
    assert all(day[4:] >= "-12-25" for day in days[23:])


def test_only_the_last() -> None:
    assert simulate(Rules(last=3), days=30) == [taken(29), taken(28), taken(27)]


def test_pruning_every_day_leaves_no_more_than_the_rules_add_up_to() -> None:
    rules = Rules(last=2, daily=3, weekly=2, monthly=2, yearly=1)
    assert len(simulate(rules)) == 10


def test_days_without_a_backup_do_not_count() -> None:
    backups = [taken(number) for number in (0, 50, 51, 300)]
    decisions = plan(backups, Rules(daily=3), now=START + 400 * DAY)
    assert kept(decisions) == [taken(300), taken(51), taken(50)]
    assert [decision.reason for decision in decisions] == [
        "daily 1 of 3, newest of 2016-10-27",
        "daily 2 of 3, newest of 2016-02-21",
        "daily 3 of 3, newest of 2016-02-20",
        "no rule wants it",
    ]


def test_a_rule_looks_only_at_what_the_ones_before_do_not_cover() -> None:
    hours = [
        Candidate(backup_id=str(hour), taken_at=START + timedelta(hours=hour)) for hour in range(48)
    ]
    left = kept(plan(hours, Rules(last=1, hourly=2, daily=1), now=START + 2 * DAY))
    # The last of all; two more hours; and of the days the one that none of these is of.
    assert [backup.backup_id for backup in left] == ["47", "46", "45", "44"]


def test_a_day_is_a_day_where_the_schedule_is() -> None:
    late = Candidate(backup_id="late", taken_at=datetime(2026, 3, 1, 23, 30, tzinfo=UTC))
    early = Candidate(backup_id="early", taken_at=datetime(2026, 3, 2, 0, 30, tzinfo=UTC))
    assert len(kept(plan([late, early], Rules(daily=5), now=START))) == 2
    hanoi = Rules(daily=5, time_zone=ZoneInfo("Asia/Ho_Chi_Minh"))
    assert kept(plan([late, early], hanoi, now=START)) == [early]


def test_without_a_rule_everything_is_kept() -> None:
    assert all(decision.keep for decision in plan(map(taken, range(5)), Rules(), now=START))


def test_a_protected_backup_is_kept_and_counts_for_no_rule() -> None:
    backups = [taken(0), taken(1, is_protected=True), taken(2)]
    decisions = plan(backups, Rules(last=1), now=START + 9 * DAY)
    assert [(decision.keep, decision.reason) for decision in decisions] == [
        (True, "last 1 of 1"),
        (True, "it is protected"),
        (False, "no rule wants it"),
    ]


def test_what_is_too_old_goes_but_for_the_newest() -> None:
    rules = Rules(daily=9, max_age=3 * DAY)
    decisions = plan(map(taken, range(4)), rules, now=START + 5 * DAY)
    assert [(decision.keep, decision.reason) for decision in decisions] == [
        (True, "daily 1 of 9, newest of 2016-01-04"),
        (True, "daily 2 of 9, newest of 2016-01-03"),
        (False, "older than 3 days"),
        (False, "older than 3 days"),
    ]
    last = plan([taken(0)], rules, now=START + 99 * DAY)
    assert [(decision.keep, decision.reason) for decision in last] == [
        (True, "too old, but the newest there is")
    ]


COUNTS = st.integers(0, 4)
RULES = st.builds(
    Rules,
    last=COUNTS,
    hourly=COUNTS,
    daily=COUNTS,
    weekly=COUNTS,
    monthly=COUNTS,
    yearly=COUNTS,
)
HOURS = st.lists(st.integers(0, 3 * 366 * 24), max_size=60, unique=True)


@given(RULES, HOURS)
def test_what_is_decided_is_decided_again(rules: Rules, hours: list[int]) -> None:
    """What is left after pruning is what pruning leaves of it."""
    backups = [
        Candidate(backup_id=str(hour), taken_at=START + timedelta(hours=hour)) for hour in hours
    ]
    now = START + 5 * 366 * DAY
    left = kept(plan(backups, rules, now=now))
    assert kept(plan(left, rules, now=now)) == left
    if rules.keep_all:
        assert len(left) == len(backups)
    else:
        most = rules.last + sum(getattr(rules, name) for name in PERIODS)
        assert len(left) <= most
        if backups:
            assert max(backups, key=lambda backup: backup.taken_at) in left


@pytest.mark.parametrize("name", PERIODS)
def test_each_rule_keeps_the_newest_of_each_of_its_periods(name: str) -> None:
    backups = [
        Candidate(backup_id=str(hour), taken_at=START + timedelta(hours=hour))
        for hour in range(0, 2 * 366 * 24, 7)
    ]
    left = kept(plan(backups, Rules(**{name: 3}), now=START))
    newest: dict[str, Candidate] = {}
    for backup in backups:
        newest[PERIODS[name](backup.taken_at)] = backup
    assert left == [*newest.values()][::-1][:3]
