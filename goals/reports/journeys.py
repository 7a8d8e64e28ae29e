"""How visitors come to convert: the time it takes, and the pages they view."""

from collections import Counter
from math import ceil
from typing import Annotated

import msgspec
from msgspec import Meta

from analytics import events
from analytics.questions.labels import EVERYTHING, Attribution
from analytics.questions.period_query import DaysAnswer
from analytics.questions.periods import Days
from analytics.questions.time_limits import in_time
from goals.counting.matched_names import matching_names
from goals.models import Goal

SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


class Quantile(msgspec.Struct):
    share: Annotated[
        float, Meta(description="The share of journeys that took at most this long.")
    ]
    seconds: int


class TimeToConvert(msgspec.Struct):
    median: Annotated[int, Meta(description="Median time, in seconds.")]
    quantiles: list[Quantile]


class JourneyPage(msgspec.Struct):
    path: Annotated[
        str | None,
        Meta(description="Path of the page. Null if there was no such page."),
    ]
    journeys: int


class PagesBefore(msgspec.Struct):
    before: Annotated[
        int,
        Meta(
            description="Position before the conversion: 1 for the last page, 2 for"
            " the page before it."
        ),
    ]
    pages: list[JourneyPage]


class Way(msgspec.Struct):
    pages: Annotated[
        list[str],
        Meta(
            description="Paths of the last three pages before the conversion, in order."
        ),
    ]
    journeys: int


class Journeys(msgspec.Struct):
    """How visitors reached their first conversion of a day."""

    period: DaysAnswer
    attribution: Attribution
    journeys: Annotated[
        int,
        Meta(description="Number of journeys, which equals the unique conversions."),
    ]
    time_to_convert: Annotated[
        TimeToConvert | None,
        Meta(description="Time from arrival to conversion. Null without journeys."),
    ]
    entries: Annotated[
        list[JourneyPage],
        Meta(description="The pages on which the visits began, most frequent first."),
    ]
    pages_before: list[PagesBefore]
    ways: Annotated[
        list[Way],
        Meta(
            description="The most frequent sequences of pages"
            " before the conversion, most frequent first."
        ),
    ]


@in_time()
def journeys(
    goal: Goal, days: Days, filters: events.Filters = EVERYTHING, *, limit: int
) -> Journeys:
    """Return times and pages before the first conversion of each visitor and day.

    `limit`: the maximum length of each list of pages and ways.
    """
    selection = events.Selection(goal.site_id, *days, filters)
    found = events.ways(selection, matching_names(goal.site_id, goal.rule), limit=limit)
    return Journeys(
        period=DaysAnswer(*days),
        attribution=filters.attribution,
        journeys=found.seconds.total(),
        time_to_convert=time_to_convert(found.seconds),
        entries=_most(found.entries, limit),
        pages_before=[
            PagesBefore(place, _most(pages, limit))
            for place, pages in enumerate(found.before, start=1)
        ],
        ways=[Way(list(way), times) for way, times in found.ways.items()],
    )


def time_to_convert(seconds: Counter[int]) -> TimeToConvert | None:
    """Return quantiles in seconds, by the nearest-rank method. Pure.

    A quantile is the least number of seconds that its share of journeys did not exceed.
    None without journeys.
    """
    if not seconds:
        return None
    quantiles: list[Quantile] = []
    passed = 0
    for number, times in sorted(seconds.items()):
        passed += times
        while len(quantiles) < len(SHARES):
            share = SHARES[len(quantiles)]
            if ceil(share * seconds.total()) > passed:
                break
            quantiles.append(Quantile(share, number))
    return TimeToConvert(quantiles[SHARES.index(0.5)].seconds, quantiles)


def _most(pages: Counter[str | None], limit: int) -> list[JourneyPage]:
    """Return the most frequent pages.

    Pages with equal numbers are sorted by path; "no page" comes last among them.
    """
    rows = [JourneyPage(path, times) for path, times in pages.items()]
    rows.sort(key=lambda row: (-row.journeys, row.path is None, row.path or ""))
    return rows[:limit]
