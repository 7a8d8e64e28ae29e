"""Days that are over: counted once, then kept.

Visitor ids change daily, so the unique visitors of a period are the sum of its
days, exactly. A day that changes late (see `analytics.events.day_versions`) is counted
anew when it is next asked for. What is counted and where it is kept is the
caller's affair.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime, timedelta
from typing import Protocol, TypeVar

from analytics import events
from analytics.questions.periods import Days, each_day
from analytics.questions.time_limits import time_limit
from krafter.errors import Unavailable

# What a request may spend on days that nobody has counted yet.
BUDGET_SECONDS = 5.0
# Days counted in one statement: doubled while that takes less than this.
_QUICK_SECONDS = 0.25
_MAX_DAYS_AT_ONCE = 64
# Events may come 24 hours ahead, to a site 14 hours ahead of UTC.
_AHEAD = timedelta(hours=24 + 14)
_UNFINISHED = "Past days are still being counted; retry"

Versions = Mapping[date, int]
_Count = TypeVar("_Count")


class Keeper(Protocol[_Count]):
    """Counts days of a site, and keeps the counts."""

    site_id: int

    def kept(self, days: Days, versions: Versions) -> dict[date, _Count]:
        """What is kept of these days, as far as its version still stands."""

    def count(self, days: Days) -> dict[date, _Count]:
        """What happened on each of these days, those without events included."""

    def keep(self, counted: Mapping[date, _Count], versions: Versions) -> None: ...


def with_today(
    keeper: Keeper[_Count], days: Days, count_open: Callable[[Days], dict[date, _Count]]
) -> dict[date, _Count]:
    """What happened on each of these days up to now; nothing for days to come.

    Closed days are counted by the keeper, the others by `count_open`. Raises
    Unavailable while the closed ones take long.
    """
    now = datetime.now(UTC)
    last_closed = events.last_closed(now)
    found: dict[date, _Count] = {}
    past = Days(days.first, min(days.last, last_closed))
    if past.first <= past.last:
        found = closed_days(keeper, past, budget=BUDGET_SECONDS)
    current = Days(
        max(days.first, last_closed + timedelta(days=1)),
        min(days.last, (now + _AHEAD).date()),
    )
    if current.first <= current.last:
        found |= count_open(current)
    return found


def closed_days(
    keeper: Keeper[_Count],
    days: Days,
    *,
    budget: float | None = None,
    progress: Callable[[int], object] = lambda counted: None,
) -> dict[date, _Count]:
    """What the keeper counts on each of these days, which must be closed.

    Raises Unavailable when the days that are not kept yet take longer than the
    budget in seconds; what was counted by then is kept, and the next try goes
    on from there. `progress` hears of each number of days counted.
    """
    # Read before anything is counted: what a count misses then raises a version
    # that was already read.
    versions = events.versions(keeper.site_id, *days)
    found = keeper.kept(days, versions)
    missing = [day for day in each_day(days) if day not in found]
    deadline = None if budget is None else time.monotonic() + budget
    for stretch in _stretches(missing):
        with _until(deadline):
            counted = keeper.count(stretch)
        keeper.keep(counted, versions)
        progress(len(counted))
        found |= counted
    return found


def _stretches(missing: list[date]) -> Iterator[Days]:
    """Stretches of missing days, the newest first.

    A stretch grows with the speed of the one before: a small site's year is a
    few statements, a large site's keeps its progress day by day.
    """
    wanted = 1
    while missing:
        last = missing.pop()
        first = last
        while (
            missing
            and missing[-1] == first - timedelta(days=1)
            and (last - first).days + 1 < wanted
        ):
            first = missing.pop()
        began = time.monotonic()
        yield Days(first, last)
        if time.monotonic() - began < _QUICK_SECONDS:
            wanted = min(wanted * 2, _MAX_DAYS_AT_ONCE)
        else:
            wanted = max(wanted // 2, 1)


def _until(deadline: float | None) -> AbstractContextManager[None]:
    """Let a statement go on until then. Raises Unavailable."""
    if deadline is None:
        return nullcontext()
    left = deadline - time.monotonic()
    if left < 0:
        raise Unavailable(_UNFINISHED)
    return time_limit(left, _UNFINISHED)
