"""A slow recount of visitors' journeys to their first conversion of a day."""

from collections import Counter
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

from goals.models import Goal
from tests.recount.goals import Raw, happened, matches

SHARES = ("0.1", "0.25", "0.5", "0.75", "0.9", "0.95")
PAGES = 3


def journeys(
    history: list[Raw],
    goal: Goal,
    keeps: Callable[[Raw], bool],
    first: date,
    last: date,
) -> dict[str, Any]:
    """Of a history with its sources: see `sources.attributed`."""
    paths: dict[Any, list[Raw]] = {}
    for raw in happened(history, first, last):
        paths.setdefault((raw.day, raw.visitor), []).append(raw)
    seconds: list[int] = []
    entries: Counter[str | None] = Counter()
    before: list[Counter[str | None]] = [Counter() for _ in range(PAGES)]
    ways: Counter[tuple[str, ...]] = Counter()
    for path in paths.values():
        # Sorting keeps the order of what happened at the same moment.
        path.sort(key=lambda raw: raw.at)
        ends = [
            place
            for place, raw in enumerate(path)
            if matches(goal, raw.type, raw.name) and keeps(raw)
        ]
        if not ends:
            continue
        end = path[ends[0]]
        began = end.arrived or end.began
        assert began is not None
        took = end.at.replace(microsecond=0) - began.replace(microsecond=0)
        seconds.append(int(took.total_seconds()))
        entries[end.entry] += 1
        pages = [raw.name for raw in path[: ends[0]] if raw.type == "pageview"]
        for place in range(PAGES):
            before[place][pages[-1 - place] if place < len(pages) else None] += 1
        ways[tuple(pages[-PAGES:])] += 1
    return {
        "journeys": len(seconds),
        "time_to_convert": time_to_convert(sorted(seconds)),
        "entries": most(entries),
        "pages_before": [
            {"before": place, "pages": most(counts)}
            for place, counts in enumerate(before, start=1)
        ],
        # Equal ones in no order that was promised.
        "ways": sorted((-times, way) for way, times in ways.items()),
    }


def time_to_convert(seconds: list[int]) -> dict[str, Any] | None:
    if not seconds:
        return None

    def least(share: str) -> int:
        return seconds[ceil(Fraction(share) * len(seconds)) - 1]

    return {
        "median": least("0.5"),
        "quantiles": [
            {"share": Decimal(share), "seconds": least(share)} for share in SHARES
        ],
    }


def most(counts: Counter[str | None]) -> list[dict[str, Any]]:
    order = sorted(counts, key=lambda path: (-counts[path], path is None, path or ""))
    return [{"path": path, "journeys": counts[path]} for path in order]
