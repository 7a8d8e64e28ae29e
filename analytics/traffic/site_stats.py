"""The statistics of a site: what its visitors did, day by day and right now."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta

import msgspec
from msgspec import UNSET, UnsetType

from analytics import events
from analytics.events import Selection, Traffic, closed_days
from analytics.questions.period_query import DaysAnswer
from analytics.questions.periods import Days, each_day
from analytics.questions.time_limits import in_time
from analytics.traffic.site_months import SiteMonths
from krafter import metrics

DIMENSIONS = (
    "path",
    "referrer",
    "country",
    "device",
    "browser",
    "os",
    "utm_source",
    "utm_medium",
    "utm_campaign",
)
# The values of a dimension that an answer shows.
MAX_VALUES = 100
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


class ShareAnswer(msgspec.Struct):
    # An unknown label is null: any text could be a label that somebody sent.
    value: str | None
    pageviews: int
    visitors: int


class SiteStats(msgspec.Struct):
    period: DaysAnswer
    totals: TrafficAnswer
    timeseries: list[DayAnswer]
    breakdowns: dict[str, list[ShareAnswer]] | UnsetType = UNSET


class Realtime(msgspec.Struct):
    visitors: int
    pageviews: int


def site_stats(selection: Selection, dimensions: Sequence[str] = ()) -> SiteStats:
    """Every day of the selection, their sums, and the dimensions that are asked for."""
    by_day = traffic(selection)
    return SiteStats(
        period=DaysAnswer(selection.first, selection.last),
        totals=TrafficAnswer(*total(by_day)),
        timeseries=[
            DayAnswer(day, *by_day.get(day, _QUIET))
            for day in each_day(Days(selection.first, selection.last))
        ],
        breakdowns=_breakdowns(selection, dimensions) if dimensions else UNSET,
    )


def traffic(selection: Selection) -> dict[date, Traffic]:
    """What the site's visitors did on each day that had any.

    Raises Unavailable while days that nobody has asked for take long to count.
    """
    if selection.where:
        with in_time():
            return events.traffic_by_day(selection)
    site_id = selection.site_id
    closed, current = closed_days.parted(Days(selection.first, selection.last))
    found: dict[date, Traffic] = {}
    if closed is not None:
        past = SiteMonths(site_id, closed)
        count_missing(past, closed, budget=closed_days.BUDGET_SECONDS)
        found = past.traffic()
    if current is not None:
        with in_time():
            found |= events.traffic_by_day(Selection(site_id, *current))
    return found


def visitors(selection: Selection) -> int:
    """The site's visitors, each once a day. Raises Unavailable as `traffic`."""
    if selection.where:
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
    budget: float | None = None,
    visits: bool = True,
    progress: Callable[[int], object] = lambda counted: None,
) -> None:
    """Count and keep what is missing of these days, which must be closed.

    Raises Unavailable when that takes longer than the budget in seconds; the
    next try goes on from there. `progress` hears of each number of days counted.
    """
    standing = events.standing(past.site_id, closed=days, kept=past.statement())
    missing = past.read(standing, visits=visits)
    metrics.count_days(days.length, len(missing))
    if not missing:
        return
    with closed_days.in_budget(budget):
        for stretch in closed_days.stretches(missing, budget=budget, progress=progress):
            selection = Selection(past.site_id, *stretch)
            if visits:
                traffic = events.traffic_by_day(selection)
                past.keep(stretch, {day: [*found] for day, found in traffic.items()})
            else:
                counts = events.visitors_by_day(selection)
                past.keep(stretch, {day: [found] for day, found in counts.items()})


def total(by_day: Mapping[date, Traffic]) -> Traffic:
    """Visitors change their ids at midnight: those of two days differ."""
    return Traffic(*map(sum, zip(_QUIET, *by_day.values(), strict=True)))


@in_time()
def _breakdowns(
    selection: Selection, dimensions: Sequence[str]
) -> dict[str, list[ShareAnswer]]:
    labels = [name for name in dimensions if name != "path"]
    found = {}
    if labels:
        found = events.site_breakdown_by_label(selection, labels, limit=MAX_VALUES)
    if "path" in dimensions:
        found["path"] = events.site_breakdown_by_path(selection, limit=MAX_VALUES)
    return {
        name: [
            ShareAnswer(row.value or None, row.pageviews, row.visitors)
            for row in found[name]
        ]
        for name in dimensions
    }


def realtime(site_id: int, now: datetime) -> Realtime:
    return Realtime(*events.presence(site_id, start=now - REALTIME, end=now))
