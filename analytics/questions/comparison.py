"""Compute the earlier period to compare with, and the corresponding rows. Pure."""

from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from analytics.questions.periods import Days, PeriodError, a_year_before

KINDS = ("previous", "previous_month", "year")

_Row = TypeVar("_Row")
# 52 weeks: almost a year later the same weekday.
_WEEK, _WEEKS_OF_A_MONTH, _WEEKS_OF_A_YEAR = 7, 4, 52


class Shift(NamedTuple):
    """The distance from a day back to the day that it is compared with."""

    days: int = 0
    months: int = 0

    def of(self, day: date) -> date | None:
        """Return the day to compare with; None if the earlier month has no such day."""
        found = self.clamped(day)
        return None if self.months and found.day != day.day else found

    def clamped(self, day: date) -> date:
        """Return the same, or the last day of the month. Raises OverflowError,
        ValueError.
        """
        if not self.months:
            return day - timedelta(self.days)
        year, month = divmod(day.year * 12 + day.month - 1 - self.months, 12)
        return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))

    def end(self, last: date) -> date:
        """Return the last day of a past period: a whole month is compared with a whole
        month.
        """
        found = self.clamped(last)
        return _month_end(found) if self.months and last == _month_end(last) else found


class Window(NamedTuple):
    """The days to compare with. `until`: the time at which the last day is cut off;
    None if it is complete.
    """

    days: Days
    until: datetime | None
    shift: Shift

    def pair(self, day: date, rows: Mapping[date, _Row]) -> _Row | None:
        """Return the row that the row of a day is compared with."""
        found = self.shift.of(day)
        return None if found is None else rows.get(found)

    def pair_of_start(self, start: date, rows: Mapping[date, _Row]) -> _Row | None:
        """Return the same for a week or a month, identified by its first day."""
        return rows.get(self.shift.clamped(start))

    def pair_of_hour(
        self, hour: datetime, rows: Mapping[datetime, _Row], zone: ZoneInfo
    ) -> _Row | None:
        """Return the same for an hour; None if a clock change skipped it."""
        local = hour.astimezone(zone)
        day = self.shift.of(local.date())
        if day is None:
            return None
        wanted = datetime.combine(day, local.timetz())
        moment = wanted.astimezone(UTC)
        there = moment.astimezone(zone)
        if there != wanted or there.fold != wanted.fold:
            return None
        return None if self.until and moment >= self.until else rows.get(moment)


def window(
    kind: str, days: Days, interval: str | None = None, *, now: datetime | None = None
) -> Window:
    """Return the days to compare with.

    `interval`: the interval of the rows. `now`: the current time in the zone of the
    site. If the period includes today, the earlier period ends at the same time of day.
    Raises PeriodError.
    """
    is_running = now is not None and days.first <= now.date() <= days.last
    last = now.date() if now and is_running else days.last
    try:
        shift = _shift(kind, days, interval)
        first = shift.clamped(days.first)
        end = shift.clamped(last) if is_running else shift.end(last)
        until = None
        if now and is_running and shift.of(last) is not None:
            until = datetime.combine(end, now.time(), now.tzinfo).astimezone(UTC)
    except (OverflowError, ValueError):
        raise PeriodError("compare", "The calendar has no such days.") from None
    return Window(Days(first, end), until, shift)


def _shift(kind: str, days: Days, interval: str | None) -> Shift:
    """Return whole weeks for weeks and whole months for months, so that rows
    correspond.

    For days, a year begins on the same date: the n-th day is compared with the n-th
    day, also across 29 February.
    """
    if interval == "week":
        weeks = {"year": _WEEKS_OF_A_YEAR, "previous_month": _WEEKS_OF_A_MONTH}
        least = -(-days.length // _WEEK)
        return Shift(days=_WEEK * weeks.get(kind, least))
    if kind == "previous_month":
        return Shift(months=1)
    if interval == "month":
        return Shift(months=12) if kind == "year" else _months_apart(days)
    if kind == "year":
        return Shift(days=(days.first - a_year_before(days.first)).days)
    return Shift(days=days.length)


def _months_apart(days: Days) -> Shift:
    """Return the smallest number of months for which no day is in both periods."""
    first, last = days
    least = (last.year - first.year) * 12 + last.month - first.month
    apart = Shift(months=least)
    return apart if apart.end(last) < first else Shift(months=least + 1)


def _month_end(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])
