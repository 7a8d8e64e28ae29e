"""Moments as they are sent: ISO 8601 with an offset, or numbers since 1970. Pure.

What is finer than a microsecond is cut: rounding up would take 23:59:59.9999999 into
the next day, and perhaps the next year.
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
# Seconds of the year 5138, and milliseconds of 1973.
_FIRST_MILLISECONDS = 100_000_000_000
# A number may have more digits than arithmetic keeps.
_CUTTING = Context(prec=40, rounding=ROUND_FLOOR)


def parse(text: str) -> datetime | None:
    """A time as text: `2026-02-18T12:00:00.5Z`, `+01:00`, `+0100` or `+01`.

    The seconds may be left out, and a space stand for the `T`. Without an offset the
    answer has no time zone; None is no time at all.
    """
    if not _ISO.fullmatch(text):
        return None
    # From Python 3.11 on it cuts what is finer than a microsecond.
    try:
        return datetime.fromisoformat(text.upper().replace(" Z", "Z"))
    except ValueError:
        return None


def since_1970(number: Decimal | int) -> datetime | None:
    """A number of seconds, or from 100,000,000,000 on of milliseconds.

    None where the calendar ends.
    """
    is_seconds = -_FIRST_MILLISECONDS < number < _FIRST_MILLISECONDS
    return counted(number, 1 if is_seconds else 1_000)


def counted(number: Decimal | int, a_second: int) -> datetime | None:
    """The moment after that many parts of a second since 1970 began.

    `a_second`: how many make one, a power of ten. None where the calendar ends.
    """
    try:
        seconds = _CUTTING.divide(Decimal(number), Decimal(a_second))
        microseconds = int(_CUTTING.multiply(seconds, Decimal(1_000_000)) // 1)
        return _1970 + timedelta(microseconds=microseconds)
    except (ValueError, OverflowError, ArithmeticError):
        return None
