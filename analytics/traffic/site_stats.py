"""The statistics of a site: its traffic by day, and its current visitors."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import astuple

from analytics import events
from analytics.events import Selection, Traffic, closed_days, seals
from analytics.questions.comparison import Window
from analytics.questions.differences import Apart, Judged, told
from analytics.questions.period_query import DaysAnswer, EarlierAnswer
from analytics.questions.periods import Days, each_day
from analytics.questions.time_limits import in_time
from analytics.traffic.breakdowns import OtherShares, ShareAnswer
from analytics.traffic.site_months import SiteMonths
from krafter import faults, metrics

# How far back "right now" reaches.
REALTIME = timedelta(minutes=5)

_QUIET = Traffic(0, 0, 0)


class TrafficAnswer(msgspec.Struct):
    pageviews: int
    visitors: int
    visits: int


class DayAnswer(msgspec.Struct):
    day: date = msgspec.field(name="date")
    pageviews: int
    visitors: int
    visits: int


class ComparedDay(DayAnswer, kw_only=True):
    """The earlier day that a day is compared with. `verdict` compares visitors."""

    difference: Apart
    verdict: Judged


class ComparedTraffic(EarlierAnswer):
    """The statistics of the earlier period. `verdict` compares the visitors of all
    days.
    """

    totals: TrafficAnswer
    difference: Apart
    verdict: Judged
    timeseries: Annotated[
        list[ComparedDay | None],
        Meta(
            description="The earlier row for each row. Null if the earlier period has"
            " no such row, or if the row lies in the future."
        ),
    ]


class SiteStats(msgspec.Struct):
    period: DaysAnswer
    totals: TrafficAnswer
    timeseries: list[DayAnswer]
    breakdowns: dict[str, list[ShareAnswer]] | UnsetType = UNSET
    other: Annotated[
        dict[str, OtherShares] | UnsetType,
        Meta(
            description="Only with `include=other`: the sum of the values that are"
            " not among the rows, by dimension."
        ),
    ] = UNSET
    comparison: Annotated[
        ComparedTraffic | UnsetType,
        Meta(description="The earlier period. Only with `compare`."),
    ] = UNSET


class Realtime(msgspec.Struct):
    visitors: int
    pageviews: int


def compared(answer: SiteStats, earlier: Selection, other: Window) -> ComparedTraffic:
    """Return the earlier row for each row of a response.

    `earlier`: the statistics of the days of `other`, up to its `until`.
    """
    before = site_stats(earlier)
    by_day = {row.day: row for row in before.timeseries}
    pairs = [(row, other.pair(row.day, by_day)) for row in answer.timeseries]
    return ComparedTraffic(
        before.period,
        other.until,
        before.totals,
        *told(answer.totals.visitors, before.totals.visitors),
        [None if past is None else _compared_day(row, past) for row, past in pairs],
    )


def _compared_day(row: DayAnswer, past: DayAnswer) -> ComparedDay:
    apart, verdict = told(row.visitors, past.visitors)
    return ComparedDay(*astuple(past), difference=apart, verdict=verdict)


def site_stats(selection: Selection) -> SiteStats:
    """Return the traffic of every day of the selection, and the sums."""
    return stats_and_state(selection)[0]


def stats_and_state(selection: Selection) -> tuple[SiteStats, events.Known | None]:
    """Return the same, and the state that the counts of its days were read with."""
    by_day, known = _traffic(selection)
    stats = SiteStats(
        period=DaysAnswer(selection.first, selection.last),
        totals=TrafficAnswer(*total(by_day)),
        timeseries=[
            DayAnswer(day, *by_day.get(day, _QUIET))
            for day in each_day(Days(selection.first, selection.last))
        ],
    )
    return stats, known


def traffic(selection: Selection) -> dict[date, Traffic]:
    """Return the traffic of each day with events.

    Raises Unavailable if counting days that were never requested takes too long.
    """
    return _traffic(selection)[0]


def _traffic(selection: Selection) -> tuple[dict[date, Traffic], events.Known | None]:
    *before, selection = selection.parts()
    if before:
        return traffic(before[0]) | traffic(selection), None
    if selection.filters.narrows:
        with in_time():
            return events.traffic_by_day(selection), None
    site_id = selection.site_id
    parted = closed_days.parted(Days(selection.first, selection.last))
    closed, current = parted
    found: dict[date, Traffic] = {}
    if closed is None:
        standing = events.standing(site_id, closed=None, open=current)
    else:
        past = SiteMonths(site_id, closed)
        budget = closed_days.BUDGET_SECONDS
        standing = count_missing(past, closed, open=current, budget=budget)
        found = past.traffic()
    by_day = found | events.open_traffic(site_id, standing)
    return by_day, events.Known(parted, standing)


def visitors(selection: Selection) -> int:
    """Return the number of visitors, each counted once per day. Raises Unavailable like
    `traffic`.
    """
    if selection.filters.where and events.is_kept(selection.filters):
        kept = events.ByLabels(selection)
        if kept.lacks:
            kept.count()
        return sum(number for _, number in kept.totals().values())
    *before, selection = selection.parts()
    if before:
        return visitors(before[0]) + visitors(selection)
    if selection.filters.narrows:
        with in_time():
            return sum(events.visitors_by_day(selection).values())
    site_id = selection.site_id
    closed, current = closed_days.parted(Days(selection.first, selection.last))
    found = 0
    if closed is not None:
        past = SiteMonths(site_id, closed)
        count_missing(past, closed, budget=closed_days.BUDGET_SECONDS, visits=False)
        found = past.visitors()
    if current is not None:
        with in_time():
            by_day = events.visitors_by_day(Selection(site_id, *current))
            found += sum(by_day.values())
    return found


def count_missing(
    past: SiteMonths,
    days: Days,
    *,
    open: Days | None = None,
    budget: float | None = None,
    visits: bool = True,
    progress: Callable[[int], object] = lambda counted: None,
) -> events.Standing:
    """Count and store the missing ones of these days, which must be closed.

    Returns the state before, also of the `open` days.

    Raises Unavailable if it takes longer than the budget in seconds; the next call
    continues from there. `progress` is called with each number of days counted.
    """
    standing = events.standing(
        past.site_id, closed=days, open=open, kept=past.statement()
    )
    missing = past.read(standing, visits=visits)
    metrics.count_days(days.length, len(missing))
    if not missing:
        return standing
    with closed_days.in_budget(budget):
        for stretch in closed_days.stretches(missing, budget=budget, progress=progress):
            selection = Selection(past.site_id, *stretch)
            if visits:
                traffic = events.traffic_by_day(selection)
                counts = {day: [*found] for day, found in traffic.items()}
            else:
                visitors = events.visitors_by_day(selection)
                counts = {day: [found] for day, found in visitors.items()}
            rows = past.add(stretch, counts)
            with faults.unwritten(), seals.keeping(past.site_id) as sealed_before:
                past.keep(rows, sealed_before=sealed_before)
    return standing


def total(by_day: Mapping[date, Traffic]) -> Traffic:
    """Return the sum over the days. Visitor ids change at midnight, so no visitor is
    counted twice.
    """
    return Traffic(*map(sum, zip(_QUIET, *by_day.values(), strict=True)))


def realtime(site_id: int, now: datetime) -> Realtime:
    return Realtime(*events.presence(site_id, start=now - REALTIME, end=now))
