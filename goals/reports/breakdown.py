"""Where a goal's conversions come from: the values of one dimension."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
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
from goals.counting.matched_names import (
    look_at,
    matching_names_of_each,
    remembered,
)
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
# With `-` in descending order.
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
    """Return one page of the values of a dimension, and the number of all values.

    `limit` and `after` are numbers of rows. `with_all_visitors`: also values that have
    visitors but no conversions; without it, only rows of labels have visitors and
    rates, and those of event fields (path, name, properties) do not. `other`: the days
    to compare with; their values are rows as well. `from_border`: a new rule is counted
    only on the days with stored counts, see `stats.counted`.

    Raises Unavailable and Unkept (see `events.ByLabels`), and Invalid if a comparison
    or `with_all_visitors` has too many values.
    """
    selection = Selection(goal.site_id, *days, filters, sources=rules_of(goal.site))
    found_of: Callable[[Selection], AbstractContextManager[Found]] = (
        partial(_of_kept_label, goal, dimension=dimension)
        if events.is_kept(filters, [dimension])
        else partial(_of_events, goal, dimension=dimension, with_all=with_all_visitors)
    )
    before = other and _before(goal, selection, other, found_of)
    try:
        with found_of(selection) as found:
            now = Values(goal, found)
            rows = now.rows(
                before.values(with_all_visitors) if before else (),
                with_all_visitors=with_all_visitors,
            )
            if before:
                rows = map(before.compare, rows)
            # Only these rows are held, however many values there are.
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
        with found_of(earlier) as found:
            return Before(Values(goal, found))
    except events.Unkept as unkept:
        raise Invalid({"compare": [unanswerable(unkept.since)]}) from None


def _since_border(days: Days, unkept: events.Unkept, filters: events.Filters) -> Days:
    """Return those of the days that have stored counts.

    Raises Invalid if the query combines labels whose counts are not stored together.
    """
    if filters.where or unkept.since > days.last:
        raise Invalid({"period": [unanswerable(unkept.since)]})
    return days._replace(first=unkept.since)


@contextmanager
def _of_kept_label(
    goal: Goal, selection: Selection, *, dimension: str
) -> Iterator[Found]:
    """Yield the counts and the visitors of each value of a label, from kept counts.

    Only counting has a time limit, because setting it takes as long as reading the
    stored counts.
    """
    is_priced = bool(goal.currency)
    rule = goal.rule
    known = remembered(goal.site_id, [rule])
    own = events.ByLabels(
        selection,
        [dimension],
        rule=rule.digest,
        with_amounts=is_priced,
        home={None, goal.currency} if is_priced else None,
        names_after=known[rule].seen if known else None,
    )
    with in_time() if own.lacks else nullcontext():
        if own.lacks:
            if known and own.names is not None:
                look_at(goal.site_id, known, own.names)
            else:
                # Read after the state: the names of all counted events exist by then.
                known = matching_names_of_each(goal.site_id, [rule])
            own.count(known[rule])
        everybody = events.ByLabels(selection, [dimension], beside=own)
        if everybody.lacks:
            everybody.count()
    yield Found.of_label(own.by_day(dimension), everybody.by_day(dimension))


@contextmanager
def _of_events(
    goal: Goal, selection: Selection, *, dimension: str, with_all: bool
) -> Iterator[Found]:
    """The same of any dimension, from the events.

    Without `with_all`, only labels have visitors.
    """
    is_priced = bool(goal.currency)
    with in_time():
        names = matching_names_of_each(goal.site_id, [goal.rule])[goal.rule]
        if dimension in LABELS:
            about = selection.about(names)
            found = events.daily_by_label(about, [dimension], with_amounts=is_priced)
            everyone = events.daily_by_label(selection, [dimension])
            yield Found.of_label(found[dimension], everyone[dimension])
            return
        with events.breakdown_rows(
            selection, names, dimension, with_amounts=is_priced
        ) as rows:
            amounts = partial(events.amounts, selection, names)
            # After the conversions, so that all who converted meanwhile are among
            # the visitors.
            visitors = visitors_of(selection, dimension) if with_all else None
            yield Found(rows, amounts, visitors)


def _less(sums: Sums, shown: Iterable[BreakdownRow | ComparedRow]) -> Sums:
    """Return the sums minus those of the rows shown."""
    conversions, revenue = sums.conversions, sums.revenue
    for row in shown:
        conversions -= row.conversions
        if revenue is not None:
            revenue -= row.revenue or Decimal()
    return Sums(conversions, revenue)


def _order(
    sort: str,
) -> tuple[Callable[..., list[BreakdownRow]], Callable[[BreakdownRow], Any]]:
    """Return the function that picks the first rows, and its sort key."""
    column = sort.removeprefix("-")
    if column == "value":
        return (nlargest if sort.startswith("-") else nsmallest), by_value
    sign = -1 if sort.startswith("-") else 1
    # Rows with equal numbers are sorted by value, so that the order does not depend
    # on the database.
    return nsmallest, lambda row: (
        sign * (getattr(row, column) or 0),
        by_value(row),
    )
