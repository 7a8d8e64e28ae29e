"""Whether a goal still matches, compared with its usual pauses. Pure."""

from collections.abc import Collection
from datetime import date
from itertools import pairwise
from statistics import median
from typing import NamedTuple

# Fewer days with a match are not enough to derive a usual pause.
FEWEST_DAYS = 4
# How many of its usual pauses a goal may be quiet before it is called silent.
_PAUSES = 4


class Health(NamedTuple):
    """`state`: never, none, silent or fine. `last`: the last day with a match."""

    state: str
    last: date | None = None
    quiet_days: int = 0


def health(days: Collection[date], today: date, *, has_names: bool) -> Health:
    """Return the health of a goal with matches on these days of a period.

    The period ends today or earlier. `has_names`: whether any name that the site has
    ever sent matches the rule. The goal is silent if its last match is longer ago than
    four times its usual pause plus two days.
    """
    if not has_names:
        return Health("never")
    if not days:
        return Health("none")
    ordered = sorted(days)
    quiet = (today - ordered[-1]).days
    pauses = [(later - day).days for day, later in pairwise(ordered)]
    is_silent = len(ordered) >= FEWEST_DAYS and quiet > _PAUSES * median(pauses) + 2
    return Health("silent" if is_silent else "fine", ordered[-1], quiet)
