"""Days that are over: counted once, then kept.

Visitor ids change daily, so the unique visitors of a period are the sum of its
days, exactly. A day that changes late (see `analytics.events.day_versions`) is
counted anew when it is next asked for. Here is decided which days are over, and
in which order those that nobody has counted are; what is counted and where it
is kept is the caller's affair.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import date, timedelta
from typing import NamedTuple

from analytics.events.day_versions import last_closed
from analytics.questions.periods import Days
from analytics.questions.time_limits import in_time
from krafter import clock
from krafter.errors import Unavailable

# What a request may spend on days that nobody has counted yet.
BUDGET_SECONDS = 5.0
# Days counted in one statement: four times as many while that takes less than
# this, or while most of its time is not that of its days.
_QUICK_SECONDS = 0.25
_MOSTLY = 2.5
_FASTER = 4
# Events may come 24 hours ahead, to a site 14 hours ahead of UTC.
_AHEAD = timedelta(hours=24 + 14)
_DAY = timedelta(days=1)
# How many days are taken for open while clocks disagree.
_DOUBTFUL_DAYS = 7
_UNFINISHED = "Past days are still being counted; retry"


class Parted(NamedTuple):
    """The days of a period that are closed, and those that are not; None: none."""

    closed: Days | None
    open: Days | None


def parted(days: Days) -> Parted:
    """Days on which no event can be yet are in neither part."""
    now = clock.now()
    last = last_closed(now)
    if not clock.is_steady():
        # What is kept of a day that is not over would be wrong for ever.
        last -= _DAY * _DOUBTFUL_DAYS
    return Parted(
        _days(days.first, min(days.last, last)),
        _days(max(days.first, last + _DAY), min(days.last, (now + _AHEAD).date())),
    )


def _days(first: date, last: date) -> Days | None:
    return Days(first, last) if first <= last else None


def stretches(
    missing: Iterable[date],
    *,
    budget: float | None = None,
    progress: Callable[[int], object] = lambda counted: None,
) -> Iterator[Days]:
    """Stretches of missing days, the newest first, for a caller who counts each.

    A stretch grows with the speed of the one before: a small site's year is a
    few statements, a large site's keeps its progress. `progress`
    hears of each number of days counted.

    Raises Unavailable when this takes longer than the budget in seconds: what
    was kept by then need not be counted again. Count within `in_budget`, which
    ends a statement that takes as long by itself.
    """
    left = sorted(missing)
    began = time.monotonic()
    end = math.inf if budget is None else began + budget
    wanted, took_before = 1, 0.0
    while left:
        if time.monotonic() > end:
            raise Unavailable(_UNFINISHED)
        last = first = left.pop()
        while left and left[-1] == first - _DAY and (last - first).days + 1 < wanted:
            first = left.pop()
        began = time.monotonic()
        yield Days(first, last)
        progress((last - first).days + 1)
        took = time.monotonic() - began
        # A statement about many names has its price before it sees a day: what
        # more days would add decides, and what time is left.
        is_cheap = took < max(_QUICK_SECONDS, _MOSTLY * (took_before or took))
        if is_cheap and time.monotonic() + _FASTER * took < end:
            wanted *= _FASTER
        else:
            wanted = max(wanted // 2, 1)
        took_before = took


def in_budget(budget: float | None) -> AbstractContextManager[None]:
    """Around the counting of stretches. Raises Unavailable."""
    return nullcontext() if budget is None else in_time(budget, _UNFINISHED)
