"""Breakdowns of the traffic of a site by the values of its dimensions."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import nullcontext
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from analytics import events
from analytics.events import Selection
from analytics.questions.differences import Apart, Judged, told
from analytics.questions.filters import LABELS
from analytics.questions.labels import PROPS
from analytics.questions.time_limits import in_time
from analytics.traffic import name_days

# Those with names of their own; `props.` and any key is one as well.
DIMENSIONS = (
    "path",
    "name",
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
    """The counts of the value in the earlier period. `verdict` compares visitors."""

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
        ComparedShare | UnsetType,
        Meta(description="The earlier period. Only with `compare`."),
    ] = UNSET


class OtherShares(msgspec.Struct):
    """The sum of the values that are not among the rows of a dimension."""

    values: int
    pageviews: int


def is_kept(dimensions: Iterable[str]) -> bool:
    """Return whether stored counts of closed days can answer the query."""
    return not any(name == "name" or name.startswith(PROPS) for name in dimensions)


# What was found of each dimension.
Found = dict[str, events.SiteBreakdown]
# The values that are wanted of each dimension; None: those with the most visitors.
Wanted = Mapping[str, Collection[str | None] | None]


def find(
    selection: Selection, wanted: Wanted, known: events.Known | None = None
) -> Found:
    """`known`: the state of the days, if it was read already.

    Raises Unavailable if counting days that were never requested takes too long.
    """
    by_label = _by_label(
        selection,
        {
            name: MAX_VALUES if among is None else None
            for name, among in wanted.items()
            if name in LABELS
        },
        known,
    )
    found: Found = {}
    # Setting a time limit takes as long as reading stored counts, which need none.
    with in_time() if len(by_label) < len(wanted) else nullcontext():
        for name, among in wanted.items():
            limit = MAX_VALUES if among is None else len(among)
            if name in by_label:
                found[name] = by_label[name]
            elif name.startswith(PROPS):
                found[name] = events.site_breakdown_by_prop(
                    selection, name, limit=limit, among=among
                )
            elif name == "path":
                found[name] = events.site_breakdown_by_path(
                    selection,
                    **name_days.names_of(selection)._asdict(),
                    limit=limit,
                    among=among,
                )
            else:
                found[name] = events.site_breakdown_by_name(
                    selection,
                    unkept=name_days.names_of(selection).unkept,
                    limit=limit,
                    among=among,
                )
    return found


def shares(found: Found) -> dict[str, list[ShareAnswer]]:
    return {name: [ShareAnswer(*row) for row in of.rows] for name, of in found.items()}


def others(found: Found) -> dict[str, OtherShares]:
    """Return the sum of the values that are not among the rows, by dimension."""
    return {
        name: OtherShares(
            of.values - len(of.rows),
            of.pageviews - sum(row.pageviews for row in of.rows),
        )
        for name, of in found.items()
    }


def values(shown: Mapping[str, list[ShareAnswer]]) -> Wanted:
    return {name: [row.value for row in rows] for name, rows in shown.items()}


def compare(shown: Mapping[str, list[ShareAnswer]], earlier: Found) -> None:
    """Add the counts of the earlier days to each value."""
    for name, rows in shown.items():
        before = {row.value: row for row in earlier[name].rows}
        for row in rows:
            past = before.get(row.value)
            pageviews, visitors = (past.pageviews, past.visitors) if past else (0, 0)
            row.comparison = ComparedShare(
                pageviews, visitors, *told(row.visitors, visitors)
            )


def _by_label(
    selection: Selection, limits: Mapping[str, int | None], known: events.Known | None
) -> Found:
    """The values of labels, as many of each as its limit; None: all."""
    labels = list(limits)
    if not labels:
        return {}
    if not events.is_kept(selection.filters, labels):
        with in_time():
            days = events.daily_by_label(selection, labels)
        return {
            label: events.site_breakdown_by_label(days[label], limit=limits[label])
            for label in labels
        }
    kept = events.ByLabels(selection, labels, known=known)
    if kept.lacks:
        kept.count()
    return {
        label: events.site_breakdown_by_label(
            kept.unclosed(label),
            closed=kept.closed(label).ranked,
            limit=limits[label],
        )
        for label in labels
    }
