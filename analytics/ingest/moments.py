"""Times in events: ISO 8601 with an offset, or numbers since 1970. Pure.

Digits finer than a microsecond are cut: rounding up would move 23:59:59.9999999 to the
next day, and perhaps to the next year.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Context, Decimal

_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?"
    r"(?P<offset> ?[Zz]|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
_1970 = datetime(1970, 1, 1, tzinfo=UTC)
# From this number on a number is of milliseconds: this is the year 1973 in
# milliseconds, and 5138 in seconds.
_FIRST_MILLISECONDS = 100_000_000_000
# For numbers with more digits than the default precision of arithmetic.
_CUTTING = Context(prec=40, rounding=ROUND_FLOOR)


def parse(text: str) -> datetime | None:
    """Parse a time such as `2026-02-18T12:00:00.5Z`; also `+01:00`, `+0100` or `+01`.

    The seconds may be missing, and a space may replace the `T`. Without an offset the
    result has no time zone. None if the text is not a time.
    """
    if not _ISO.fullmatch(text):
        return None
    # Python 3.11 and later cut digits finer than a microsecond.
    try:
        return datetime.fromisoformat(text.upper().replace(" Z", "Z"))
    except ValueError:
        return None


def since_1970(number: Decimal | int) -> datetime | None:
    """Return the time of a number of seconds, or milliseconds from 100,000,000,000 on.

    None if the time is outside Python's calendar.
    """
    is_seconds = -_FIRST_MILLISECONDS < number < _FIRST_MILLISECONDS
    return counted(number, 1 if is_seconds else 1_000)


def counted(number: Decimal | int, a_second: int) -> datetime | None:
    """Return the time that is `number` units after 1970-01-01 00:00 UTC.

    `a_second`: units per second, a power of ten. None if the time is outside Python's
    calendar.
    """
    try:
        seconds = _CUTTING.divide(Decimal(number), Decimal(a_second))
        microseconds = int(_CUTTING.multiply(seconds, Decimal(1_000_000)) // 1)
        return _1970 + timedelta(microseconds=microseconds)
    except (ValueError, OverflowError, ArithmeticError):
        return None
