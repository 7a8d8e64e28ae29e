"""A slow recount of the traffic of a site: page views, visitors, visits."""

from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from tests.recount.goals import DIMENSIONS, Raw, each, happened, whom
from tests.recount.questions import spelled

SILENCE = timedelta(minutes=30)
# Of the site's traffic.
SPLITS = ["path", "entry_path", "country", "os", "channel", "referrer"]


def site_stats(
    history: list[Raw], first: date, last: date, dimensions: list[str]
) -> dict[str, Any]:
    raws = happened(history, first, last)
    return {
        "period": {"from": f"{first}", "to": f"{last}"},
        "totals": traffic(raws),
        "timeseries": [
            {"date": f"{day}", **traffic([raw for raw in raws if raw.day == day])}
            for day in each(first, last)
        ],
        "breakdowns": {dimension: shares(raws, dimension) for dimension in dimensions},
    }


def realtime(history: list[Raw], now: datetime) -> dict[str, int]:
    start = now - timedelta(minutes=5)
    raws = [raw for raw in history if start < raw.at <= now and not raw.refunds]
    return {"visitors": len(whom(raws)), "pageviews": pageviews(raws)}


def traffic(raws: list[Raw]) -> dict[str, int]:
    return {
        "pageviews": pageviews(raws),
        "visitors": len(whom(raws)),
        "visits": visits(raws),
    }


def pageviews(raws: list[Raw]) -> int:
    return sum(raw.type == "pageview" for raw in raws)


def visits(raws: list[Raw]) -> int:
    """They end with the day, or when more than 30 minutes are silent."""
    seconds: dict[Any, list[datetime]] = {}
    for raw in raws:
        second = raw.at.replace(microsecond=0)
        seconds.setdefault((raw.day, raw.visitor), []).append(second)
    return sum(
        1 + sum(after - before > SILENCE for before, after in pairwise(sorted(own)))
        for own in seconds.values()
    )


def shares(raws: list[Raw], dimension: str) -> list[dict[str, Any]]:
    values: dict[str | None, list[Raw]] = {}
    for raw in raws:
        if dimension != "path" or raw.type == "pageview":
            values.setdefault(value_of(raw, dimension), []).append(raw)
    # Equal ones in the order of their characters, the unknown one last.
    order = sorted(values, key=lambda v: (-len(whom(values[v])), v is None, v or ""))
    return [
        {
            "value": value,
            "pageviews": pageviews(values[value]),
            "visitors": len(whom(values[value])),
        }
        for value in order
    ]


def value_of(raw: Raw, dimension: str) -> str | None:
    """A property as filters write it; a label is unknown without any text."""
    if dimension.startswith("props."):
        return spelled(raw)
    return DIMENSIONS[dimension](raw) or None


def sent(history: list[Raw], first: date, last: date) -> list[dict[str, Any]]:
    """The names that had events on these days, in the order of their texts."""
    names: dict[tuple[str, str], list[Raw]] = {}
    for raw in happened(history, date.min, date.max):
        names.setdefault((raw.type, raw.name), []).append(raw)
    rows = []
    for (type, name), raws in names.items():
        own = happened(raws, first, last)
        days = [raw.day for raw in raws]
        if own:
            row = {
                "type": type,
                "name": name,
                "events": len(own),
                "visitors": len(whom(own)),
                "first_seen": f"{min(days)}",
                "last_seen": f"{max(days)}",
            }
            rows.append(row)
    return sorted(rows, key=lambda row: (row["name"], row["type"]))
