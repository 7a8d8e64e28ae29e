"""The hours, days, weeks and months of a period. Pure."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from analytics.questions.periods import Days, PeriodError, each_day, midnight

HOUR = timedelta(hours=1)
MAX_HOURLY_DAYS = 31

_DAY = timedelta(days=1)


def start_of(interval: str, day: date, first: date) -> date:
    """Return the first day of the interval that contains `day`.

    It is not before `first`, the first day of the period.
    """
    match interval:
        case "week":
            return max(first, day - day.weekday() * _DAY)
        case "month":
            return max(first, day.replace(day=1))
    return day


def stretches(days: Days, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """Yield parts of the period, as (start, end), that are split into hours.

    The hours of a part begin at its start. An hour is 60 minutes counted from its day's
    midnight, so a day has 23, 24 or 25 hours. There is one part, unless clocks change
    by half an hour: then the last hour of that day is half as long, and a new part
    begins.

    Raises PeriodError.
    """
    if (days.last - days.first).days >= MAX_HOURLY_DAYS:
        raise PeriodError("interval", f"hour: at most {MAX_HOURLY_DAYS} days.")
    if days.first.year < 2 or days.last.year > 9998:
        # Beyond these years, midnight of some time zone cannot be represented.
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
