"""Where a goal's conversions come from: the values of one dimension."""

from collections.abc import Iterator
from heapq import nlargest, nsmallest
from typing import Any

from analytics import events
from analytics.questions.periods import Days
from analytics.questions.time_limits import in_time
from goals.counting.matched_names import matching_names
from goals.models import Goal
from goals.money.pricing import pricer

_COLUMNS = ("conversions", "unique_conversions", "revenue", "value")
# With `-` the largest first.
SORTS = tuple(sign + column for column in _COLUMNS for sign in ("-", ""))

Row = dict[str, Any]


@in_time()
def breakdown(
    goal: Goal,
    days: Days,
    dimension: str,
    where: tuple[events.Where, ...] = (),
    *,
    sort: str,
    limit: int,
) -> tuple[list[Row], int]:
    """The first rows, and how many values there are in all."""
    names = matching_names(goal.site_id, goal.rule)
    selection = events.Selection(goal.site_id, *days, where)
    revenue = pricer(
        events.amounts(selection, names) if goal.currency else {}, goal.currency
    )
    values = 0

    def rows() -> Iterator[Row]:
        nonlocal values
        for part in events.breakdown_rows(
            selection, names, dimension, with_amounts=goal.currency is not None
        ):
            values += 1
            yield {
                "value": part.value,
                "conversions": part.counts.conversions,
                "unique_conversions": part.counts.uniques,
                "revenue": revenue(part.sums),
            }

    return _first(rows(), sort, limit), values


def _first(rows: Iterator[Row], sort: str, limit: int) -> list[Row]:
    """Keeps no more than `limit` rows, however many values there are."""
    column = sort.removeprefix("-")
    if column == "value":
        pick = nlargest if sort.startswith("-") else nsmallest
        return pick(limit, rows, key=_by_value)
    sign = -1 if sort.startswith("-") else 1

    def key(row: Row) -> tuple[Any, ...]:
        # Equal numbers stand in the order of their values, so that the answer
        # is the same however the database comes by it.
        return sign * (row[column] or 0), _by_value(row)

    return nsmallest(limit, rows, key=key)


def _by_value(row: Row) -> tuple[int, Any]:
    """Texts, then numbers, false, true, and what is not known."""
    match row["value"]:
        case None:
            return 3, 0
        case bool() as value:
            return 2, value
        case str() as value:
            return 0, value
        case value:
            return 1, value
