"""Which days a period is compared with. Pure."""

from datetime import date, timedelta

from analytics.questions.periods import Days, PeriodError

KINDS = ("previous", "year")


def window(kind: str, days: Days) -> Days:
    """As many days: those right before, or from the same date a year earlier.

    28 February stands for the 29th. The first day is kept rather than the
    last, so that the days of both answers correspond one by one. Raises
    PeriodError.
    """
    length = days.last - days.first
    try:
        first = (
            _a_year_before(days.first)
            if kind == "year"
            else days.first - length - timedelta(days=1)
        )
    except (OverflowError, ValueError):
        raise PeriodError("compare", "The calendar has no such days.") from None
    return Days(first, first + length)


def _a_year_before(day: date) -> date:
    is_leap_day = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year - 1, day=28 if is_leap_day else day.day)
