"""How many conversions a goal had: the questions of the stats endpoints."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from analytics import events
from analytics.events import Counts
from analytics.periods import Days
from goals import live, money, names
from goals.models import Goal
from goals.names import matching_names
from goals.pricing import pricer
from goals.rollups import DayCount, closed_days

# What a request may spend on days that nobody has counted yet.
BUDGET_SECONDS = 5.0
# Events may come 24 hours ahead, to a site 14 hours ahead of UTC.
_AHEAD = timedelta(hours=24 + 14)


def goal_stats(
    goal: Goal, days: Days, where: tuple[events.Where, ...] = ()
) -> dict[str, int | Decimal | None]:
    """`conversions`, `unique_conversions`, `revenue` of a goal in those days."""
    if where:
        matched = matching_names(goal.site_id, goal.rule)
        scope = events.Scope(goal.site_id, *days, where)
        counts = events.count(scope, matched)
        worth = revenue(scope, matched, goal.currency)
    else:
        found = by_day(goal, days)
        counts = Counts(
            sum(day.counts.conversions for day in found.values()),
            sum(day.counts.uniques for day in found.values()),
        )
        amounts = sums(found)
        worth = pricer(amounts, goal.currency)(amounts)
    return {
        "conversions": counts.conversions,
        "unique_conversions": counts.uniques,
        "revenue": worth,
    }


def by_day(goal: Goal, days: Days) -> dict[date, DayCount]:
    """What the goal's rule counted on each of these days; none for days to come.

    Days that are closed are looked up, the others are counted as far as they
    have come: an event that was acknowledged before is in. Raises Unavailable
    while the past of a new rule takes long to count.
    """
    now = datetime.now(UTC)
    last_closed = events.last_closed(now)
    found: dict[date, DayCount] = {}
    if days.first <= last_closed:
        past = Days(days.first, min(days.last, last_closed))
        found = closed_days(goal.site_id, goal.rule, past, budget=BUDGET_SECONDS)
    current = Days(
        max(days.first, last_closed + timedelta(days=1)),
        min(days.last, (now + _AHEAD).date()),
    )
    if current.first <= current.last:
        found |= live.live_days(
            goal.site_id, goal.rule, current, with_amounts=goal.currency is not None
        )
    return found


def revenue(
    scope: events.Scope, names: Iterable[int], currency: str | None
) -> Decimal | None:
    """What events of these names brought in; None without a currency."""
    if currency is None:
        return None
    amounts = events.amounts(scope, names)
    return pricer(amounts, currency)(amounts)


def sums(found: dict[date, DayCount]) -> money.Sums:
    """The amounts of these days by day and currency."""
    return {
        (day, code): amount
        for day, counted in found.items()
        for code, amount in counted.amounts.items()
    }


def forget() -> None:
    """Drop what this process remembers: after a database was emptied or restored."""
    live.forget()
    names.forget()
