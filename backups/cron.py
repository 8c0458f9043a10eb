"""When a schedule has its slots: a cron expression, read in the time zone of its people.

    Cron("30 2 * * mon-fri", "Europe/Berlin").after(now)

Five fields as in Debian's cron, which also decides what happens when clocks change: a slot in the
hour that is left out comes right after it, one in the hour that comes twice comes once, and those
that come several times a day (a `*` as minute or hour) go by the time that really passes. All
times that come out are in UTC.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

# How far back slots are counted one by one, to find the latest; those of a sparser expression are
# few, however far back.
LOOK_BACK = timedelta(days=2)


class CronError(ValueError):
    """`field`, "cron" or "time_zone", is not what it must be; the sentence says why."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class Cron:
    """The slots of an expression in a time zone. Raises `CronError` unless both can be read."""

    def __init__(self, expression: str, time_zone: str) -> None:
        if time_zone not in _known_zones():
            raise CronError("time_zone", f"There is no time zone {time_zone[:64]!r}.")
        if len(expression.split()) != 5:
            raise CronError(
                "cron", "It must have five fields: minute, hour, day of month, month, day of week."
            )
        self.zone = ZoneInfo(time_zone)
        self._expression = expression
        try:
            CronSim(expression, datetime(2024, 1, 1, tzinfo=self.zone))
        except CronSimError as error:
            raise CronError("cron", f"It cannot be read: {error}.") from None

    def after(self, time: datetime) -> datetime | None:
        """The first slot after a time; None when there is none within 50 years."""
        return next(self._slots_after(time), None)

    def latest(self, first: datetime, now: datetime) -> datetime:
        """The latest slot that is not later than `now`, of those from `first` on, which is one."""
        latest = first
        for start in (max(first, now - LOOK_BACK), first):
            for slot in self._slots_after(start):
                if slot > now:
                    break
                latest = max(latest, slot)
            if latest > first:
                break
        return latest

    def _slots_after(self, time: datetime) -> Iterator[datetime]:
        # Of an hour that comes twice, it may begin again with the first.
        for slot in CronSim(self._expression, time.astimezone(self.zone)):
            if (at := slot.astimezone(UTC)) > time:
                yield at
                time = at


def zone_of(time_zone: str) -> tzinfo:
    """The time zone of a schedule. One that is not known any more is UTC: the schedule is disabled
    at its next slot, and until then nothing may stop because of it."""
    return ZoneInfo(time_zone) if time_zone in _known_zones() else UTC


@cache
def _known_zones() -> frozenset[str]:
    return frozenset(available_timezones())
