"""The hours, days, weeks and months that a period is made of. Pure."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from analytics.questions.periods import Days, PeriodError, each_day, midnight

HOUR = timedelta(hours=1)
MAX_HOURLY_DAYS = 31

_DAY = timedelta(days=1)


def start_of(interval: str, day: date, first: date) -> date:
    """Where the interval of a day begins, in a period that begins on `first`."""
    match interval:
        case "week":
            return max(first, day - day.weekday() * _DAY)
        case "month":
            return max(first, day.replace(day=1))
    return day


def stretches(days: Days, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """The period in parts, each cut into its hours from its start on.

    An hour is 60 minutes counted from its day's midnight, so that a day may
    have 23 or 25. One part is enough unless clocks change by half an hour:
    then the last hour of that day is half as long, and a new part begins.
    Raises PeriodError.
    """
    if (days.last - days.first).days >= MAX_HOURLY_DAYS:
        raise PeriodError("interval", f"hour: at most {MAX_HOURLY_DAYS} days.")
    if days.first.year < 2 or days.last.year > 9998:
        # There the calendar ends before some zone's midnight.
        raise PeriodError("interval", "hour: only in the years 2 to 9998.")
    start = midnight(days.first, zone)
    for day in each_day(Days(days.first + _DAY, days.last)):
        next_start = midnight(day, zone)
        if (next_start - start) % HOUR:
            yield start, next_start
            start = next_start
    yield start, midnight(days.last, zone, later=1)


def hours(start: datetime, end: datetime) -> Iterator[datetime]:
    while start < end:
        yield start
        start += HOUR
