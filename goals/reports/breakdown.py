"""Where a goal's conversions come from: the values of one dimension."""

from collections.abc import Callable
from heapq import nlargest, nsmallest
from itertools import count
from typing import Any

import msgspec

from analytics import events
from analytics.questions.period_query import DaysAnswer
from analytics.questions.periods import Days
from analytics.questions.time_limits import in_time
from goals.counting.answers import Revenue
from goals.counting.matched_names import matching_names
from goals.models import Goal
from goals.money.pricing import pricer

_COLUMNS = ("conversions", "unique_conversions", "revenue", "value")
# With `-` the largest first.
SORTS = tuple(sign + column for column in _COLUMNS for sign in ("-", ""))


class BreakdownRow(msgspec.Struct):
    # A text; of a property also a number, a boolean or null.
    value: str | int | float | bool | None
    conversions: int
    unique_conversions: int
    revenue: Revenue


class Breakdown(msgspec.Struct):
    period: DaysAnswer
    dimension: str
    breakdown: list[BreakdownRow]
    total_values: int


def breakdown(
    goal: Goal,
    days: Days,
    dimension: str,
    where: tuple[events.Where, ...] = (),
    *,
    sort: str,
    limit: int,
) -> Breakdown:
    """The first rows, and how many values there are in all."""
    with in_time():
        names = matching_names(goal.site_id, goal.rule)
        selection = events.Selection(goal.site_id, *days, where)
        amounts = events.amounts(selection, names) if goal.currency else {}
        revenue = pricer(amounts, goal.currency)
        values = count()
        rows = (
            BreakdownRow(part.value, *part.counts, revenue(part.sums))
            for part, _ in zip(
                events.breakdown_rows(
                    selection, names, dimension, with_amounts=bool(goal.currency)
                ),
                values,
                strict=False,
            )
        )
        # No more than `limit` rows are held, however many values there are.
        pick, key = _order(sort)
        first = pick(limit, rows, key=key)
    return Breakdown(DaysAnswer(*days), dimension, first, next(values))


def _order(
    sort: str,
) -> tuple[Callable[..., list[BreakdownRow]], Callable[[BreakdownRow], Any]]:
    """What picks the first rows, and by which key."""
    column = sort.removeprefix("-")
    if column == "value":
        return (nlargest if sort.startswith("-") else nsmallest), _by_value
    sign = -1 if sort.startswith("-") else 1
    # Equal numbers stand in the order of their values, so that the answer is
    # the same however the database comes by it.
    return nsmallest, lambda row: (
        sign * (getattr(row, column) or 0),
        _by_value(row),
    )


def _by_value(row: BreakdownRow) -> tuple[int, Any]:
    """Texts, then numbers, false, true, and what is not known."""
    match row.value:
        case None:
            return 3, 0
        case bool() as value:
            return 2, value
        case str() as value:
            return 0, value
        case value:
            return 1, value
