"""The days of a period: `7d`, `30d`, `12mo`, `custom`. Pure.

Days are calendar days in the time zone of the site; the caller passes today's date
there. Both ends are inclusive.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

_DAYS_BACK = {"7d": 7, "30d": 30}
NAMES = (*_DAYS_BACK, "12mo", "custom")
DEFAULT = "30d"
MAX_DAYS = 1_830

_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)


class Days(NamedTuple):
    first: date
    last: date

    @property
    def length(self) -> int:
        return (self.last - self.first).days + 1


def each_day(days: Days) -> Iterator[date]:
    for number in range((days.last - days.first).days + 1):
        yield days.first + timedelta(days=number)


class PeriodError(ValueError):
    """An invalid period parameter: its name and a message."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.message = message


def resolve(
    period: str, *, today: date, start: date | None = None, end: date | None = None
) -> Days:
    """Return the days of `7d`, `30d`, `12mo`, or of `custom` from `start` to `end`.

    Raises PeriodError.
    """
    if period not in NAMES:
        raise PeriodError("period", f"One of: {', '.join(NAMES)}.")
    if period == "custom":
        return _custom(start, end)
    if start is not None or end is not None:
        raise PeriodError(
            "from" if start is not None else "to", "Only with period=custom."
        )
    if period == "12mo":
        return Days(a_year_before(today), today)
    return Days(today - timedelta(days=_DAYS_BACK[period]), today)


def midnight(day: date, zone: ZoneInfo, *, later: int = 0) -> datetime:
    """Return when a day begins in a time zone, or `later` days after it, in UTC.

    If a clock change skips midnight, it is the first moment after it. Limited to the
    range of datetime.
    """
    try:
        start = datetime.combine(day + timedelta(later), time.min, zone)
        return start.astimezone(UTC)
    except OverflowError:
        return _EARLIEST if day.year == 1 else _LATEST


def _custom(start: date | None, end: date | None) -> Days:
    if start is None:
        raise PeriodError("from", "Required when period=custom.")
    if end is None:
        raise PeriodError("to", "Required when period=custom.")
    if end < start:
        raise PeriodError("to", "Must not be before from.")
    if (end - start).days + 1 > MAX_DAYS:
        raise PeriodError("to", f"At most {MAX_DAYS} days.")
    return Days(start, end)


def a_year_before(day: date) -> date:
    """Return the same day twelve months ago, 28 February for the 29th.

    Raises ValueError if the calendar has no such day.
    """
    is_leap_day = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year - 1, day=28 if is_leap_day else day.day)
