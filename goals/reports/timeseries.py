"""A goal's conversions over time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import asdict

from analytics import events
from analytics.events import Counts
from analytics.questions.comparison import Window
from analytics.questions.differences import Apart, Judged, told
from analytics.questions.labels import EVERYTHING, Attribution
from analytics.questions.period_query import DaysAnswer, EarlierAnswer
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
    day: Annotated[
        date | UnsetType,
        Meta(
            description="The first day of the interval."
            " Only for intervals of days or longer."
        ),
    ] = msgspec.field(name="date", default=UNSET)
    start: Annotated[
        Moment | UnsetType,
        Meta(description="The start of the hour, in UTC. Only for hourly intervals."),
    ] = UNSET
    conversions: int
    unique_conversions: int
    revenue: Revenue


class ComparedPoint(TimeseriesPoint, kw_only=True):
    """The counts of the earlier interval. `verdict` compares unique conversions."""

    difference: Apart
    verdict: Judged


class ComparedTimeseries(EarlierAnswer):
    interval: Interval
    timeseries: Annotated[
        list[ComparedPoint | None],
        Meta(
            description="The earlier row for each row. Null if the earlier period has"
            " no such row, or if the row lies in the future."
        ),
    ]


class Timeseries(msgspec.Struct):
    period: DaysAnswer
    attribution: Attribution
    interval: Interval
    timeseries: list[TimeseriesPoint]
    comparison: Annotated[
        ComparedTimeseries | UnsetType,
        Meta(description="The earlier period. Only with `compare`."),
    ] = UNSET


Rows = list[TimeseriesPoint]


def compared_timeseries(
    goal: Goal,
    rows: Rows,
    other: Window,
    interval: Interval,
    filters: events.Filters,
    *,
    from_border: bool = False,
) -> ComparedTimeseries:
    """Return the earlier row for each row of a period, in the same order.

    `from_border`: see `stats.counted`. Raises PeriodError.
    """
    filters = filters._replace(until=other.until)
    before = timeseries(goal, other.days, interval, filters, from_border=from_border)
    return ComparedTimeseries(
        DaysAnswer(*other.days),
        other.until,
        interval,
        [
            None if past is None else _compared(row, past)
            for row, past in zip(
                rows, _pairs(rows, before, other, interval, goal.site.zone), strict=True
            )
        ],
    )


def _pairs(
    rows: Rows, before: Rows, other: Window, interval: Interval, zone: ZoneInfo
) -> list[TimeseriesPoint | None]:
    if interval == "hour":
        by_hour = {row.start: row for row in before if row.start is not UNSET}
        hours = [row.start for row in rows if row.start is not UNSET]
        return [other.pair_of_hour(hour, by_hour, zone) for hour in hours]
    by_day = {row.day: row for row in before if row.day is not UNSET}
    pair = other.pair if interval == "day" else other.pair_of_start
    return [pair(row.day, by_day) for row in rows if row.day is not UNSET]


def _compared(row: TimeseriesPoint, past: TimeseriesPoint) -> ComparedPoint:
    difference, verdict = told(row.unique_conversions, past.unique_conversions)
    return ComparedPoint(**asdict(past), difference=difference, verdict=verdict)


def timeseries(
    goal: Goal,
    days: Days,
    interval: str,
    filters: events.Filters = EVERYTHING,
    *,
    from_border: bool = False,
) -> Rows:
    """Return a row for every interval of the period, in order; empty ones have zeros.

    `from_border`: see `stats.counted`; days before the border have zeros.

    Raises PeriodError.
    """
    if interval == "hour":
        selection = events.Selection(goal.site_id, *days, filters)
        return _by_hours(goal, selection, list(stretches(days, goal.site.zone)))
    starts = {day: start_of(interval, day, days.first) for day in each_day(days)}
    found = stats.counted(
        goal.site_id, [goal], days, filters, daily=True, from_border=from_border
    )[goal.rule]
    counts: defaultdict[date, Counts] = defaultdict(lambda: Counts(0, 0))
    for day, counted in found.items():
        sofar = counts[starts[day]]
        # Visitor ids change daily, so unique visitors of different days add up.
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
    """Return a row for each start of an interval, with zeros for empty ones."""
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
