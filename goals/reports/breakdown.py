"""Where a goal's conversions come from: the values of one dimension."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from functools import partial
from heapq import nlargest, nsmallest
from typing import Any

from msgspec.structs import astuple

from analytics import events
from analytics.events import Selection
from analytics.questions import cursors
from analytics.questions.comparison import Window
from analytics.questions.filters import LABELS
from analytics.questions.labels import EVERYTHING
from analytics.questions.period_query import DaysAnswer, EarlierAnswer, unanswerable
from analytics.questions.periods import Days
from analytics.questions.time_limits import in_time
from analytics.sources import rules_of
from goals.counting.matched_names import matching_names_of_each
from goals.models import Goal
from goals.reports.breakdown_answers import (
    Breakdown,
    BreakdownRow,
    ComparedRow,
    OtherValues,
    Sums,
)
from goals.reports.breakdown_before import Before
from goals.reports.breakdown_values import Found, Values, by_value, visitors_of
from krafter.errors import Invalid

_COLUMNS = ("conversions", "unique_conversions", "revenue", "visitors", "rate", "value")
# With `-` the largest first.
SORTS = tuple(sign + column for column in _COLUMNS for sign in ("-", ""))


def breakdown(
    goal: Goal,
    days: Days,
    dimension: str,
    filters: events.Filters = EVERYTHING,
    *,
    sort: str,
    limit: int,
    after: int = 0,
    with_all_visitors: bool = False,
    other: Window | None = None,
    from_border: bool = False,
) -> Breakdown:
    """The first rows after some, and how many values there are in all.

    `with_all_visitors`: also values that brought visitors alone. Only then rows of
    what events have themselves have visitors and rates. `other`: the days to compare
    with, whose values are rows as well. `from_border`: a new rule is counted on what is
    kept of the days, see `stats.counted`. Raises Unavailable and Unkept, see
    `events.ByLabels`, and Invalid for a comparison of too many values, or visitors of
    too many.
    """
    selection = Selection(goal.site_id, *days, filters, sources=rules_of(goal.site))
    found_of = partial(_found, goal, dimension=dimension, with_all=with_all_visitors)
    before = other and _before(goal, selection, other, found_of)
    try:
        with in_time(), found_of(selection) as found:
            now = Values(goal, found)
            rows = now.rows(
                before.values(with_all_visitors) if before else (),
                with_all_visitors=with_all_visitors,
            )
            if before:
                rows = map(before.compare, rows)
            # No more than these are held, however many values there are.
            pick, key = _order(sort)
            first = pick(after + limit, rows, key=key)[after:]
    except events.Unkept as unkept:
        if not from_border:
            raise
        return breakdown(
            goal,
            _since_border(days, unkept, filters),
            dimension,
            filters,
            sort=sort,
            limit=limit,
            after=after,
            with_all_visitors=with_all_visitors,
            other=other,
        )
    left = now.number - len(first)
    has_next = bool(first) and now.number > after + len(first)
    answer = Breakdown(
        period=DaysAnswer(*days),
        attribution=filters.attribution,
        dimension=dimension,
        breakdown=first,
        total_values=now.number,
        other=OtherValues(left, *astuple(_less(now.sums, first))) if left else None,
        next_cursor=cursors.write_offset(after + len(first)) if has_next else None,
    )
    if other and before:
        answer.comparison = EarlierAnswer(DaysAnswer(*other.days), other.until)
        if answer.other:
            past = [row.comparison for row in first if row.comparison]
            answer.other.comparison = _less(before.sums, past)
    return answer


def _before(
    goal: Goal,
    selection: Selection,
    other: Window,
    found_of: Callable[[Selection], AbstractContextManager[Found]],
) -> Before:
    filters = selection.filters._replace(until=other.until)
    earlier = selection.within(other.days)._replace(filters=filters)
    try:
        with in_time(), found_of(earlier) as found:
            return Before(Values(goal, found))
    except events.Unkept as unkept:
        raise Invalid({"compare": [unanswerable(unkept.since)]}) from None


def _since_border(days: Days, unkept: events.Unkept, filters: events.Filters) -> Days:
    """Those of the days that are kept.

    Raises Invalid where it is labels together that were not kept.
    """
    if filters.where or unkept.since > days.last:
        raise Invalid({"period": [unanswerable(unkept.since)]})
    return days._replace(first=unkept.since)


@contextmanager
def _found(
    goal: Goal, selection: Selection, *, dimension: str, with_all: bool
) -> Iterator[Found]:
    """Each value of a dimension with what was counted, and its visitors.

    Without `with_all` those of labels only.
    """
    is_priced = bool(goal.currency)
    if dimension not in LABELS:
        names = matching_names_of_each(goal.site_id, [goal.rule])[goal.rule]
        with events.breakdown_rows(
            selection, names, dimension, with_amounts=is_priced
        ) as rows:
            amounts = partial(events.amounts, selection, names)
            # After the conversions: whoever converted meanwhile is a visitor, too.
            visitors = visitors_of(selection, dimension) if with_all else None
            yield Found(rows, amounts, visitors)
    elif events.is_kept(selection.filters, [dimension]):
        own = events.ByLabels(
            selection,
            [dimension],
            rule=goal.rule.digest,
            with_amounts=is_priced,
            home={None, goal.currency} if is_priced else None,
        )
        if own.lacks:
            own.count(matching_names_of_each(goal.site_id, [goal.rule])[goal.rule])
        everybody = events.ByLabels(selection, [dimension])
        if everybody.lacks:
            everybody.count()
        yield Found.of_label(own.by_day(dimension), everybody.by_day(dimension))
    else:
        names = matching_names_of_each(goal.site_id, [goal.rule])[goal.rule]
        about = selection.about(names)
        found = events.daily_by_label(about, [dimension], with_amounts=is_priced)
        everyone = events.daily_by_label(selection, [dimension])
        yield Found.of_label(found[dimension], everyone[dimension])


def _less(sums: Sums, shown: Iterable[BreakdownRow | ComparedRow]) -> Sums:
    """What is left of sums without what is shown."""
    conversions, revenue = sums.conversions, sums.revenue
    for row in shown:
        conversions -= row.conversions
        if revenue is not None:
            revenue -= row.revenue or Decimal()
    return Sums(conversions, revenue)


def _order(
    sort: str,
) -> tuple[Callable[..., list[BreakdownRow]], Callable[[BreakdownRow], Any]]:
    """What picks the first rows, and by which key."""
    column = sort.removeprefix("-")
    if column == "value":
        return (nlargest if sort.startswith("-") else nsmallest), by_value
    sign = -1 if sort.startswith("-") else 1
    # Equal numbers stand in the order of their values, so that the answer is
    # the same however the database comes by it.
    return nsmallest, lambda row: (
        sign * (getattr(row, column) or 0),
        by_value(row),
    )
