"""How a goal's conversions are spread over a period."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from analytics import events
from analytics.events import Counts
from analytics.questions.period_query import DaysAnswer
from analytics.questions.periods import Days, each_day
from analytics.questions.time_limits import in_time
from goals.counting import stats
from goals.counting.answers import Revenue
from goals.counting.matched_names import matching_names
from goals.models import Goal
from goals.money.conversion import Sums
from goals.money.pricing import pricer
from goals.reports.intervals import hours, start_of, stretches
from krafter.answers import Moment

Interval = Literal["hour", "day", "week", "month"]
INTERVALS: tuple[Interval, ...] = get_args(Interval)


class TimeseriesPoint(msgspec.Struct, kw_only=True):
    day: Annotated[date | UnsetType, Meta(description="Where it is of days.")] = (
        msgspec.field(name="date", default=UNSET)
    )
    start: Annotated[Moment | UnsetType, Meta(description="Of an hour.")] = UNSET
    conversions: int
    unique_conversions: int
    revenue: Revenue


class ComparedTimeseries(msgspec.Struct):
    period: DaysAnswer
    interval: Interval
    timeseries: list[TimeseriesPoint]


class Timeseries(ComparedTimeseries):
    comparison: Annotated[
        ComparedTimeseries | UnsetType, Meta(description="With `compare`.")
    ] = UNSET


Rows = list[TimeseriesPoint]


def timeseries(
    goal: Goal, days: Days, interval: str, where: tuple[events.Where, ...] = ()
) -> Rows:
    """Every interval of the period in order, empty ones too.

    Raises PeriodError.
    """
    if interval == "hour":
        selection = events.Selection(goal.site_id, *days, where)
        return _by_hours(goal, selection, list(stretches(days, goal.site.zone)))
    starts = {day: start_of(interval, day, days.first) for day in each_day(days)}
    found = stats.counted(goal.site_id, [goal], days, where, daily=True)[goal.rule]
    counts: defaultdict[date, Counts] = defaultdict(lambda: Counts(0, 0))
    for day, counted in found.items():
        sofar = counts[starts[day]]
        # Visitors change their ids at midnight: those of two days differ.
        counts[starts[day]] = Counts(
            sofar.conversions + counted.counts.conversions,
            sofar.uniques + counted.counts.uniques,
        )
    sums: defaultdict[date, dict[tuple[date, str | None], Decimal]] = defaultdict(dict)
    for (day, code), amount in stats.sums(found).items():
        sums[starts[day]][day, code] = amount
    return _rows(dict.fromkeys(starts.values()), counts, sums, goal.currency)


@in_time()
def _by_hours(
    goal: Goal, selection: events.Selection, parts: list[tuple[datetime, datetime]]
) -> Rows:
    names = matching_names(goal.site_id, goal.rule)
    counts: dict[datetime, Counts] = {}
    sums: dict[datetime, Sums] = {}
    for start, end in parts:
        counts |= events.hourly(selection, names, start=start, end=end)
        if goal.currency:
            sums |= events.hourly_amounts(selection, names, start=start, end=end)
    starts = [hour for part in parts for hour in hours(*part)]
    return _rows(starts, counts, sums, goal.currency)


def _rows(
    starts: Iterable[date],
    counts: Mapping[Any, Counts],
    sums: Mapping[Any, Sums],
    currency: str | None,
) -> Rows:
    """A row for each start of an interval, with zeros where nothing was."""
    everything = {
        pair: amount for part in sums.values() for pair, amount in part.items()
    }
    revenue = pricer(everything, currency)
    rows = []
    for start in starts:
        conversions, uniques = counts.get(start, Counts(0, 0))
        rows.append(
            TimeseriesPoint(
                day=UNSET if isinstance(start, datetime) else start,
                start=start if isinstance(start, datetime) else UNSET,
                conversions=conversions,
                unique_conversions=uniques,
                revenue=revenue(sums.get(start, {})),
            )
        )
    return rows
