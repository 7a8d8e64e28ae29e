"""The statistics of a site: what its visitors did, day by day and right now."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from analytics import events
from analytics.events import Selection, Traffic, closed_days
from analytics.models import SiteDay
from analytics.questions.periods import Days, each_day
from analytics.questions.time_limits import in_time

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


def site_stats(selection: Selection, dimensions: Sequence[str] = ()) -> dict[str, Any]:
    """Every day of the selection, their sums, and the dimensions that are asked for."""
    by_day = traffic(selection)
    answer: dict[str, Any] = {
        "period": {"from": selection.first, "to": selection.last},
        "totals": total(by_day)._asdict(),
        "timeseries": [
            {"date": day, **by_day.get(day, _QUIET)._asdict()}
            for day in each_day(Days(selection.first, selection.last))
        ],
    }
    if dimensions:
        answer["breakdowns"] = _breakdowns(selection, dimensions)
    return answer


def traffic(selection: Selection) -> dict[date, Traffic]:
    """What the site's visitors did on each day that had any.

    Raises Unavailable while days that nobody has asked for take long to count.
    """
    if selection.where:
        with in_time():
            return events.traffic_by_day(selection)
    closed, current = closed_days.parted(Days(selection.first, selection.last))
    found: dict[date, Traffic] = {}
    if closed is not None:
        budget = closed_days.BUDGET_SECONDS
        found = closed_traffic(selection.site_id, closed, budget=budget)
    if current is not None:
        with in_time():
            found |= events.traffic_by_day(Selection(selection.site_id, *current))
    return found


def closed_traffic(
    site_id: int,
    days: Days,
    *,
    budget: float | None = None,
    progress: Callable[[int], object] = lambda counted: None,
) -> dict[date, Traffic]:
    """The traffic of each of these days, which must be closed, kept as SiteDay.

    Raises Unavailable when the days that are not kept yet take longer than the
    budget in seconds; the next try goes on from there. `progress` hears of each
    number of days counted.
    """
    # Read before the events: what a count misses then raises a version that
    # was already read.
    versions = events.versions(site_id, *days)
    rows = SiteDay.objects.filter(site_id=site_id, day__range=days)
    found = {
        day: Traffic(*counts)
        for day, version, *counts in rows.values_list(
            "day", "version", *Traffic._fields
        )
        if version == versions.get(day, 0)
    }
    missing = [day for day in each_day(days) if day not in found]
    if not missing:
        return found
    with closed_days.in_budget(budget):
        for stretch in closed_days.stretches(missing, budget=budget, progress=progress):
            by_day = events.traffic_by_day(Selection(site_id, *stretch))
            counted = {day: by_day.get(day, _QUIET) for day in each_day(stretch)}
            SiteDay.objects.bulk_create(
                [
                    SiteDay(
                        site_id=site_id,
                        day=day,
                        version=versions.get(day, 0),
                        **of_day._asdict(),
                    )
                    for day, of_day in counted.items()
                ],
                update_conflicts=True,
                unique_fields=["site", "day"],
                update_fields=["version", *Traffic._fields],
            )
            found |= counted
    return found


def total(by_day: Mapping[date, Traffic]) -> Traffic:
    """Visitors change their ids at midnight: those of two days differ."""
    return Traffic(*map(sum, zip(_QUIET, *by_day.values(), strict=True)))


@in_time()
def _breakdowns(
    selection: Selection, dimensions: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    labels = [name for name in dimensions if name != "path"]
    found = {}
    if labels:
        found = events.site_breakdown_by_label(selection, labels, limit=MAX_VALUES)
    if "path" in dimensions:
        found["path"] = events.site_breakdown_by_path(selection, limit=MAX_VALUES)
    return {name: [_shown(row) for row in found[name]] for name in dimensions}


def _shown(row: events.SiteBreakdownRow) -> dict[str, Any]:
    """An unknown label is null: any text could be a label that somebody sent."""
    return {**row._asdict(), "value": row.value or None}


def realtime(site_id: int, now: datetime) -> dict[str, int]:
    found = events.presence(site_id, start=now - REALTIME, end=now)
    return found._asdict()
