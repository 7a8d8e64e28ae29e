"""How the traffic of a site is spread over the values of its dimensions."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from analytics import events
from analytics.events import Selection
from analytics.questions.differences import Apart, Judged, told
from analytics.questions.time_limits import in_time
from analytics.traffic import name_days

DIMENSIONS = (
    "path",
    "entry_path",
    "referrer",
    "channel",
    "country",
    "device",
    "browser",
    "os",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
)
# The values of a dimension that an answer shows.
MAX_VALUES = 100


class ComparedShare(msgspec.Struct):
    """What the value had before. The verdict is of visitors."""

    pageviews: int
    visitors: int
    difference: Apart
    verdict: Judged


class ShareAnswer(msgspec.Struct):
    # An unknown label is null: any text could be a label that somebody sent.
    value: str | None
    pageviews: int
    visitors: int
    comparison: Annotated[
        ComparedShare | UnsetType, Meta(description="With `compare`.")
    ] = UNSET


@in_time()
def breakdowns(
    selection: Selection, dimensions: Sequence[str]
) -> dict[str, list[ShareAnswer]]:
    """The values of each dimension with the most visitors.

    Raises Unavailable while days that nobody has asked for take long to count.
    """
    found = {
        label: events.site_breakdown_by_label(days, limit=MAX_VALUES)
        for label, days in _by_label(selection, dimensions).items()
    }
    if "path" in dimensions:
        found["path"] = events.site_breakdown_by_path(
            selection, unkept=name_days.unkept(selection), limit=MAX_VALUES
        )
    return {
        name: [
            ShareAnswer(row.value or None, row.pageviews, row.visitors)
            for row in found[name]
        ]
        for name in dimensions
    }


@in_time()
def compare(breakdowns: dict[str, list[ShareAnswer]], earlier: Selection) -> None:
    """Set beside each value what it had on earlier days. Raises as `breakdowns`."""
    found = {
        label: events.site_breakdown_by_label(days, limit=None)
        for label, days in _by_label(earlier, [*breakdowns]).items()
    }
    if "path" in breakdowns:
        among = [row.value or "" for row in breakdowns["path"]]
        found["path"] = events.site_breakdown_by_path(
            earlier,
            unkept=name_days.unkept(earlier),
            limit=len(among),
            among=among,
        )
    for name, rows in breakdowns.items():
        before = {row.value or None: row for row in found[name]}
        for row in rows:
            past = before.get(row.value)
            pageviews, visitors = (past.pageviews, past.visitors) if past else (0, 0)
            row.comparison = ComparedShare(
                pageviews, visitors, *told(row.visitors, visitors)
            )


def _by_label(
    selection: Selection, dimensions: Sequence[str]
) -> dict[str, events.ByDay]:
    labels = [name for name in dimensions if name != "path"]
    if not labels:
        return {}
    if not events.is_kept(selection.filters, labels):
        return events.daily_by_label(selection, labels)
    kept = events.ByLabels(selection, labels)
    if kept.lacks:
        kept.count()
    return {label: kept.by_day(label) for label in labels}
