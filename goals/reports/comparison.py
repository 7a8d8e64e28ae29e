"""Which days a period is compared with. Pure."""

from datetime import timedelta

from analytics.questions.periods import Days, PeriodError, a_year_before

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
            a_year_before(days.first)
            if kind == "year"
            else days.first - length - timedelta(days=1)
        )
    except (OverflowError, ValueError):
        raise PeriodError("compare", "The calendar has no such days.") from None
    return Days(first, first + length)
