"""The statistics of a site: what its visitors did, day by day and right now."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from analytics import events

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

_QUIET = events.Traffic(0, 0, 0)


def site_stats(scope: events.Scope, dimensions: Sequence[str] = ()) -> dict[str, Any]:
    """Every day of the scope, their sums, and the dimensions that are asked for."""
    by_day = events.traffic_by_day(scope)
    length = (scope.last - scope.first).days + 1
    days = [scope.first + timedelta(days=number) for number in range(length)]
    totals = (sum(counts) for counts in zip(_QUIET, *by_day.values(), strict=True))
    answer: dict[str, Any] = {
        "period": {"from": scope.first, "to": scope.last},
        "totals": events.Traffic(*totals)._asdict(),
        "timeseries": [
            {"date": day, **by_day.get(day, _QUIET)._asdict()} for day in days
        ],
    }
    if dimensions:
        answer["breakdowns"] = _breakdowns(scope, dimensions)
    return answer


def _breakdowns(
    scope: events.Scope, dimensions: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    labels = [name for name in dimensions if name != "path"]
    shares = {}
    if labels:
        shares = events.shares_by_label(scope, labels, limit=MAX_VALUES)
    if "path" in dimensions:
        shares["path"] = events.shares_by_path(scope, limit=MAX_VALUES)
    return {name: [_shown(share) for share in shares[name]] for name in dimensions}


def _shown(share: events.Share) -> dict[str, Any]:
    """An unknown label is null: any text could be a label that somebody sent."""
    return {**share._asdict(), "value": share.value or None}


def realtime(site_id: int, now: datetime) -> dict[str, int]:
    found = events.presence(site_id, start=now - REALTIME, end=now)
    return found._asdict()
