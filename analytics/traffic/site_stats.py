"""The statistics of a site: what its visitors did, day by day and right now."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from analytics import events
from analytics.events import Selection, Traffic
from analytics.events.closed_days import Versions, with_today
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
        return _counted(selection)
    return with_today(
        SiteDays(selection.site_id),
        Days(selection.first, selection.last),
        count_open=lambda days: _counted(Selection(selection.site_id, *days)),
    )


@in_time()
def _counted(selection: Selection) -> dict[date, Traffic]:
    return events.traffic_by_day(selection)


def total(by_day: Mapping[date, Traffic]) -> Traffic:
    """Visitors change their ids at midnight: those of two days differ."""
    return Traffic(*map(sum, zip(_QUIET, *by_day.values(), strict=True)))


class SiteDays:
    """Counts the closed days of a site and keeps them as SiteDay."""

    def __init__(self, site_id: int) -> None:
        self.site_id = site_id

    def kept(self, days: Days, versions: Versions) -> dict[date, Traffic]:
        rows = SiteDay.objects.filter(site_id=self.site_id, day__range=days)
        return {
            day: Traffic(*counts)
            for day, version, *counts in rows.values_list(
                "day", "version", *Traffic._fields
            )
            if version == versions.get(day, 0)
        }

    def count(self, days: Days) -> dict[date, Traffic]:
        found = events.traffic_by_day(Selection(self.site_id, *days))
        return {day: found.get(day, _QUIET) for day in each_day(days)}

    def keep(self, counted: Mapping[date, Traffic], versions: Versions) -> None:
        SiteDay.objects.bulk_create(
            [
                SiteDay(
                    site_id=self.site_id,
                    day=day,
                    version=versions.get(day, 0),
                    **found._asdict(),
                )
                for day, found in counted.items()
            ],
            update_conflicts=True,
            unique_fields=["site", "day"],
            update_fields=["version", *Traffic._fields],
        )


@in_time()
def _breakdowns(
    selection: events.Selection, dimensions: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    labels = [name for name in dimensions if name != "path"]
    shares = {}
    if labels:
        shares = events.site_breakdown_by_label(selection, labels, limit=MAX_VALUES)
    if "path" in dimensions:
        shares["path"] = events.site_breakdown_by_path(selection, limit=MAX_VALUES)
    return {name: [_shown(share) for share in shares[name]] for name in dimensions}


def _shown(share: events.SiteBreakdownRow) -> dict[str, Any]:
    """An unknown label is null: any text could be a label that somebody sent."""
    return {**share._asdict(), "value": share.value or None}


def realtime(site_id: int, now: datetime) -> dict[str, int]:
    found = events.presence(site_id, start=now - REALTIME, end=now)
    return found._asdict()
