"""How sure a conversion rate is. Pure."""

from math import sqrt
from typing import NamedTuple

LEVEL = 0.95
_Z = 1.959963984540054  # 97.5 % of a normal distribution lie below

# Around one half the interval of 30 visitors is 34 percentage points wide. That
# of fewer says nothing about which of two rates is the better one.
FEWEST_TO_COMPARE = 30


class Rate(NamedTuple):
    """A share and its 95 % interval."""

    rate: float
    low: float
    high: float


def is_too_few_to_compare(visitors: int) -> bool:
    return visitors < FEWEST_TO_COMPARE


def rate(converters: int, visitors: int) -> Rate | None:
    """The share of the visitors who converted, with Wilson's score interval.

    Wilson's, since the usual one of the normal distribution says "0 % to 0 %"
    of three visitors none of whom converted, and leaves 0..1 near its ends.
    """
    if visitors == 0:
        return None
    share = converters / visitors
    shrunk = 1 + _Z**2 / visitors
    centre = (share + _Z**2 / (2 * visitors)) / shrunk
    spread = share * (1 - share) / visitors + _Z**2 / (4 * visitors**2)
    half = _Z * sqrt(spread) / shrunk
    return Rate(
        _short(share),
        # Exactly 0 and 1 at the ends, where rounding would leave a trace.
        0.0 if converters == 0 else _short(centre - half),
        1.0 if converters == visitors else _short(centre + half),
    )


def _short(share: float) -> float:
    """Six significant digits: more would be noise."""
    return float(f"{share:.6g}")
