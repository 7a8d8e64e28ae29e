"""Decide whether two numbers differ, by the 95 % interval of their difference. Pure.

All verdicts are computed here: for rates, conversions and visitors.
"""

from math import sqrt
from typing import Annotated, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta

Verdict = Literal["more", "fewer", "cannot_tell"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

LEVEL = 0.95
Z = 1.959963984540054  # 97.5 % of a normal distribution lie below


class Confidence(msgspec.Struct):
    level: float
    low: float
    high: float


# Two fields of every answer that compares numbers of visitors, see `told`.
Apart = Annotated[
    Confidence,
    Meta(
        description="Confidence interval of the change in visitors from the earlier"
        " period."
    ),
]
Judged = Annotated[
    Verdict,
    Meta(
        description="`more` or `fewer` if the whole interval of the difference lies"
        " above or below 0."
    ),
]


class Estimate(NamedTuple):
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """The 95 % interval of the difference of two numbers."""

    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """The verdict: `cannot_tell` if the interval contains 0."""
        if self.low > 0:
            return "more"
        return "fewer" if self.high < 0 else "cannot_tell"

    @property
    def shown(self) -> Confidence:
        return Confidence(LEVEL, self.low, self.high)


def difference(now: Estimate, before: Estimate) -> Difference:
    """Return the interval of `now` minus `before`, by the square-and-add method.

    For two rates with Wilson intervals it is Newcombe's method 10 (Statistics in
    Medicine 17, 1998, 873-890). Zou and Donner (Statistics in Medicine 27, 2008,
    1693-1702) show that it is valid for other numbers too. Comparing the two intervals
    directly would find too few differences: they may overlap although the interval of
    the difference does not contain 0.
    """
    apart = now.value - before.value
    below = sqrt((now.value - now.low) ** 2 + (before.high - before.value) ** 2)
    above = sqrt((now.high - now.value) ** 2 + (before.value - before.low) ** 2)
    return Difference(short(apart - below), short(apart + above))


def count(number: int) -> Estimate:
    """Return a count of independent arrivals with the score interval of a Poisson mean.

    It is derived like Wilson's interval, and is 0 to 3.84 for a count of 0.
    """
    centre = number + Z**2 / 2
    half = Z * sqrt(number + Z**2 / 4)
    return Estimate(number, max(centre - half, 0.0), centre + half)


def told(now: int, before: int) -> tuple[Confidence, Verdict]:
    """Return the `difference` and the `verdict` for two numbers of visitors."""
    found = difference(count(now), count(before))
    return found.shown, found.verdict


def short(number: float) -> float:
    """Round to six significant digits; more would suggest false precision."""
    return float(f"{number:.6g}")
