"""Closed days: which days are over, and in which order missing ones are counted.

Visitor ids change daily, so the unique visitors of a period are exactly the sum of
its days. The counts of a day are stored; if the day changes later (see
`analytics.events.day_versions`), it is recounted when it is next needed. The caller
decides what to count and where to store it.
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

# Seconds that a request may spend on counting missing days.
BUDGET_SECONDS = 5.0
# The number of days per statement is quadrupled, or doubled if there is no time for
# more, while a statement takes less than this, or while most of its time does not
# depend on the number of days.
_QUICK_SECONDS = 0.75
_MOSTLY = 2.5
_FASTER = (4, 2)
# Events may come 24 hours ahead, to a site 14 hours ahead of UTC.
_AHEAD = timedelta(hours=24 + 14)
_DAY = timedelta(days=1)
# How many past days count as open while clocks disagree.
_DOUBTFUL_DAYS = 7
_UNFINISHED = "Past days are still being counted; retry"


class Parted(NamedTuple):
    """The closed and the open days of a period; None if there are none."""

    closed: Days | None
    open: Days | None


def parted(days: Days) -> Parted:
    """Days that cannot have events yet are in neither part."""
    now = clock.now()
    last = last_closed(now)
    if not clock.is_steady():
        # A stored count of a day that is not over would stay wrong.
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
    """Stretches of missing days, the newest first; the caller counts each.

    The length of a stretch depends on how fast the last one was counted: a year of
    a small site takes a few statements, and a large site keeps its progress.
    `progress` is called with the number of days of each stretch.

    Raises Unavailable when this takes longer than the budget in seconds; days
    stored by then are not counted again. Count within `in_budget`, which cancels a
    single statement that takes too long.
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
        # With many names most of a statement's time does not depend on its days:
        # the time that more days would add decides, and the time left.
        is_cheap = took < max(_QUICK_SECONDS, _MOSTLY * (took_before or took))
        rest = end - time.monotonic()
        if is_cheap:
            wanted *= next((more for more in _FASTER if more * took < rest), 1)
        else:
            wanted = max(wanted // 2, 1)
        took_before = took


def in_budget(budget: float | None) -> AbstractContextManager[None]:
    """Around the counting of stretches. Raises Unavailable."""
    return nullcontext() if budget is None else in_time(budget, _UNFINISHED)
