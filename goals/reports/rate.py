"""Conversion rates with their confidence intervals. Pure."""

from math import sqrt
from typing import NamedTuple

from analytics.questions import differences
from analytics.questions.differences import (
    LEVEL,
    Confidence,
    Difference,
    Estimate,
    Verdict,
    Z,
    short,
)

# At a rate near one half, the interval of 30 visitors is 34 percentage points wide.
# With fewer visitors the data cannot decide which of two rates is higher.
FEWEST_TO_COMPARE = 30


class Rate(NamedTuple):
    """A proportion and its 95 % interval."""

    rate: float
    low: float
    high: float

    @property
    def interval(self) -> Confidence:
        return Confidence(LEVEL, self.low, self.high)


def is_too_few_to_compare(visitors: int) -> bool:
    return visitors < FEWEST_TO_COMPARE


def rate(converters: int, visitors: int) -> Rate | None:
    """Return the share of visitors who converted, with Wilson's score interval.

    All numbers are between 0 and 1. None without visitors.

    The textbook interval of the normal distribution is "0 % to 0 %" for three visitors
    none of whom converted, and goes beyond 0..1 near its ends.
    """
    if visitors == 0:
        return None
    share = converters / visitors
    shrunk = 1 + Z**2 / visitors
    centre = (share + Z**2 / (2 * visitors)) / shrunk
    spread = share * (1 - share) / visitors + Z**2 / (4 * visitors**2)
    half = Z * sqrt(spread) / shrunk
    return Rate(
        short(share),
        # Exactly 0 and 1 at the ends, where rounding errors would remain.
        0.0 if converters == 0 else short(centre - half),
        1.0 if converters == visitors else short(centre + half),
    )


def difference(now: Rate, before: Rate) -> Difference:
    """Return the interval of the later rate minus the earlier one."""
    return differences.difference(Estimate(*now), Estimate(*before))


def told(now: Rate | None, before: Rate | None) -> tuple[Confidence | None, Verdict]:
    """Return the interval of the difference to an earlier rate, and the verdict.

    (None, "cannot_tell") if one of the rates is missing.
    """
    if now is None or before is None:
        return None, "cannot_tell"
    found = difference(now, before)
    return found.shown, found.verdict
