"""Which backups of a volume are kept, and why: the rules that Proxmox Backup Server documents.

    decisions = plan(backups, Rules(daily=7, weekly=4, monthly=12), now=now)

The rules are asked in the order last, hourly, daily, weekly, monthly, yearly. `daily=7` keeps the
newest backup of each of the last seven days that have one. Days without a backup do not count, nor
does a day of which a rule before has kept one: each rule looks only at what the rules before it do
not cover. What no rule wants is deleted. Days are those of the schedule's own time zone, and weeks
begin on Monday (ISO 8601).

Two things go beyond the rules: a protected backup is kept whatever they say, and counts for none of
them; one that is older than the age limit is deleted although a rule would keep it, unless it is
the newest there is: a limit never leaves a volume without a backup.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How many of each to keep; without any number everything is kept."""

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    max_age: timedelta | None = None
    time_zone: tzinfo = field(default=UTC)

    @property
    def keep_all(self) -> bool:
        """Whether no rule limits anything."""
        return not any((self.last, self.hourly, self.daily, self.weekly, self.monthly, self.yearly))


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A backup as retention sees it."""

    backup_id: str
    taken_at: datetime  # with a time zone
    is_protected: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of a backup; `reason` continues "it is kept: …" or "it is deleted: …"."""

    backup: Candidate
    keep: bool
    reason: str


Period = Callable[[datetime], str]

PERIODS: dict[str, Period] = {
    "hourly": lambda time: f"{time:%Y-%m-%d %H}:00",
    "daily": lambda time: f"{time:%Y-%m-%d}",
    "weekly": lambda time: f"{time:%G-W%V}",
    "monthly": lambda time: f"{time:%Y-%m}",
    "yearly": lambda time: f"{time:%Y}",
}


def plan(backups: Iterable[Candidate], rules: Rules, *, now: datetime) -> list[Decision]:
    """Decide about every backup of one volume, newest first. Nothing is done to any of them."""
    newest_first = sorted(
        backups, key=lambda backup: (backup.taken_at, backup.backup_id), reverse=True
    )
    kept: dict[str, str] = {}
    free = [backup for backup in newest_first if not backup.is_protected]
    if rules.keep_all:
        kept = {backup.backup_id: "there is no rule" for backup in free}
    else:
        for position, backup in enumerate(free[: rules.last], start=1):
            kept[backup.backup_id] = f"last {position} of {rules.last}"
        for name, period in PERIODS.items():
            _keep_newest_of_each(free, kept, name, period, rules)
    return [_decide(backup, kept, rules, newest_first, now) for backup in newest_first]


def _keep_newest_of_each(
    newest_first: Sequence[Candidate],
    kept: dict[str, str],
    name: str,
    period: Period,
    rules: Rules,
) -> None:
    """Let one rule choose among what the rules before it do not cover."""
    wanted: int = getattr(rules, name)

    def period_of(backup: Candidate) -> str:
        return period(backup.taken_at.astimezone(rules.time_zone))

    covered = {period_of(backup) for backup in newest_first if backup.backup_id in kept}
    found = 0
    for backup in newest_first:
        if found == wanted:
            return
        if (which := period_of(backup)) in covered:
            continue
        covered.add(which)
        found += 1
        kept[backup.backup_id] = f"{name} {found} of {wanted}, newest of {which}"


def _decide(
    backup: Candidate,
    kept: dict[str, str],
    rules: Rules,
    newest_first: Sequence[Candidate],
    now: datetime,
) -> Decision:
    if backup.is_protected:
        return Decision(backup, keep=True, reason="it is protected")
    reason = kept.get(backup.backup_id)
    if reason is None:
        return Decision(backup, keep=False, reason="no rule wants it")
    if rules.max_age is not None and now - backup.taken_at > rules.max_age:
        if backup is newest_first[0]:
            return Decision(backup, keep=True, reason="too old, but the newest there is")
        return Decision(backup, keep=False, reason=f"older than {_days(rules.max_age)}")
    return Decision(backup, keep=True, reason=reason)


def _days(age: timedelta) -> str:
    days = age / timedelta(days=1)
    return f"{days:g} day{'' if days == 1 else 's'}"
