"""The names of a site on closed days, stored as NameDay.

NameMonth records by month which days are stored and whether they are still valid, as
for the traffic.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

from analytics import events
from analytics.events import Selection, closed_days, seals
from analytics.events.closed_sums import State
from analytics.models import NameMonth
from analytics.questions.periods import Days, each_day
from analytics.traffic.site_months import SiteMonths
from krafter import faults, metrics


class NameMonths(SiteMonths):
    """The days of a period whose names are stored."""

    model = NameMonth


def count_missing(
    site_id: int,
    days: Days,
    *,
    budget: float | None = None,
    progress: Callable[[int], object] = lambda counted: None,
) -> tuple[set[date], State]:
    """Count and store the missing ones of these days, which must be closed.

    Returns the days that could not be stored because the database cannot be written,
    and the state that all days are of. Raises Unavailable if it takes longer than the
    budget in seconds; the next call continues from there. `progress` is called with
    each number of days counted.
    """
    past = NameMonths(site_id, days)
    standing = events.standing(site_id, closed=days, kept=past.statement())
    missing = past.read(standing, visits=True)
    metrics.count_days(days.length, len(missing))
    left = set(missing)
    with closed_days.in_budget(budget):
        for stretch in closed_days.stretches(missing, budget=budget, progress=progress):
            with faults.unwritten(), seals.keeping(site_id) as sealed_before:
                if stretch.first < sealed_before:
                    # Sealed meanwhile: what is kept of these days is final.
                    continue
                # First the note, whose lock has others wait for the rows.
                rows = past.add(stretch, {})
                past.keep(rows, sealed_before=sealed_before)
                events.keep_name_days(site_id, stretch)
                left -= set(each_day(stretch))
    return left, State.of(standing)


def lacks(site_id: int, days: Days) -> bool:
    """Return whether the names of one of these closed days are not stored."""
    past = NameMonths(site_id, days)
    standing = events.standing(site_id, closed=days, kept=past.statement())
    return bool(past.read(standing, visits=True))


class Names(NamedTuple):
    """The ranges of a selection's days whose names are not stored.

    `closed`: its closed days, if all of them are stored, and their state.
    """

    unkept: list[Days]
    closed: Days | None = None
    state: State | None = None


def names_of(selection: Selection) -> Names:
    """Closed days are counted and stored first.

    Raises Unavailable if that takes too long.
    """
    left: set[date] = set()
    kept = state = None
    for part in selection.parts():
        if part.filters.narrows:
            left.update(each_day(part.days))
            continue
        closed, current = closed_days.parted(part.days)
        if closed is not None:
            budget = closed_days.BUDGET_SECONDS
            uncounted, state = count_missing(part.site_id, closed, budget=budget)
            left |= uncounted
            kept = None if uncounted else closed
        if current is not None:
            left.update(each_day(current))
    return Names(list(_stretches(sorted(left))), kept, state)


def _stretches(days: Iterable[date]) -> Iterator[Days]:
    first = last = None
    for day in days:
        if first is None or last is None or day - last > timedelta(days=1):
            if first is not None and last is not None:
                yield Days(first, last)
            first = day
        last = day
    if first is not None and last is not None:
        yield Days(first, last)
