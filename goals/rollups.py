"""What a rule counted on days that are over: counted once, then kept.

Visitor ids change daily, so the unique visitors of a period are the sum of its
days, exactly. A day that changes late (see `analytics.events.late`) is counted
anew when it is next asked for.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db import OperationalError, connection, transaction

from analytics import events
from analytics.events import Counts, Scope
from analytics.periods import Days
from goals.intervals import each_day
from goals.matching import Rule
from goals.models import GoalDay
from goals.names import matching_names
from krafter.api import Unavailable

# Days counted in one statement: doubled while that takes less than this.
_QUICK_SECONDS = 0.25
_MAX_DAYS_AT_ONCE = 64


class DayCount(NamedTuple):
    """`amounts`: exact sums by currency, None for no code, net of refunds."""

    counts: Counts
    amounts: dict[str | None, Decimal]


def closed_days(
    site_id: int,
    rule: Rule,
    days: Days,
    *,
    budget: float | None = None,
    progress: Callable[[int], object] = lambda counted: None,
) -> dict[date, DayCount]:
    """What the rule counted on each of these days, which must be closed.

    Raises Unavailable when the days that are not kept yet take longer than the
    budget in seconds; what was counted by then is kept, and the next try goes
    on from there. `progress` hears of each number of days counted.
    """
    # Read before the names and before anything is counted: what either misses
    # then raises a version that was already read.
    versions = events.versions(site_id, *days)
    found = dict(_kept(site_id, rule, days, versions))
    missing = [day for day in each_day(days) if day not in found]
    if missing:
        names = matching_names(site_id, rule)
        deadline = None if budget is None else time.monotonic() + budget
        for chunk in _chunks(missing, deadline):
            scope = Scope(site_id, chunk.first, chunk.last)
            with _time_limit(deadline):
                counted = _count(scope, names)
            _keep(site_id, rule, counted, versions)
            progress(len(counted))
            found |= counted
    return found


def _kept(
    site_id: int, rule: Rule, days: Days, versions: dict[date, int]
) -> Iterator[tuple[date, DayCount]]:
    rows = GoalDay.objects.filter(site_id=site_id, rule=rule.digest, day__range=days)
    for day, version, conversions, uniques, amounts in rows.values_list(
        "day", "version", "conversions", "uniques", "amounts"
    ):
        if version == versions.get(day, 0):
            sums = {
                code or None: Decimal(text) for code, text in (amounts or {}).items()
            }
            yield day, DayCount(Counts(conversions, uniques), sums)


def _count(scope: Scope, names: frozenset[int]) -> dict[date, DayCount]:
    """Counts of every day of the scope, those without events too."""
    counts = events.daily(scope, names)
    amounts: dict[date, dict[str | None, Decimal]] = {}
    for (day, code), total in events.amounts(scope, names).items():
        amounts.setdefault(day, {})[code] = total
    return {
        day: DayCount(counts.get(day, Counts(0, 0)), amounts.get(day, {}))
        for day in each_day(Days(scope.first, scope.last))
    }


def _keep(
    site_id: int,
    rule: Rule,
    counted: dict[date, DayCount],
    versions: dict[date, int],
) -> None:
    GoalDay.objects.bulk_create(
        [
            GoalDay(
                site_id=site_id,
                rule=rule.digest,
                day=day,
                version=versions.get(day, 0),
                conversions=found.counts.conversions,
                uniques=found.counts.uniques,
                amounts={code or "": str(sum) for code, sum in found.amounts.items()}
                or None,
            )
            for day, found in counted.items()
        ],
        update_conflicts=True,
        unique_fields=["site", "rule", "day"],
        update_fields=["version", "conversions", "uniques", "amounts"],
    )


def _chunks(missing: list[date], deadline: float | None) -> Iterator[Days]:
    """Stretches of missing days, the newest first, as long as time allows.

    A stretch grows with the speed of the one before: a small site's year is a
    few statements, a large site's keeps its progress day by day.
    """
    wanted = 1
    while missing:
        if deadline is not None and time.monotonic() > deadline:
            raise _unfinished()
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


def _unfinished() -> Unavailable:
    return Unavailable("Still counting the past of this goal, try again")


@contextmanager
def _time_limit(deadline: float | None) -> Iterator[None]:
    """Let the database end a statement that outlives the deadline."""
    if deadline is None or connection.vendor != "postgresql":
        yield
        return
    # At least a moment: 0 would mean no limit at all.
    left = max(int((deadline - time.monotonic()) * 1_000), 100)
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = %s", [left])
            yield
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 0")
    except OperationalError as error:
        if "statement timeout" in str(error):
            raise _unfinished() from None
        raise
