"""A slow recount of previews, and of funnels by every way that there is."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations
from statistics import median_low
from typing import Any

from goals.matching import Rule
from goals.models import Goal
from tests.recount.goals import (
    DIMENSIONS,
    Raw,
    Recount,
    happened,
    matches,
    rank,
    shown,
)

Name = tuple[str, str]


def preview(
    right: Recount, first: date, last: date, before: Goal | None
) -> dict[str, Any]:
    """What a goal would count, and win or lose as an edit of `before`."""
    history = right.everything
    times = Counter((raw.type, raw.name) for raw in happened(history, first, last))
    known = known_names(history)
    names = [name for name in known if matches(right.goal, *name)]
    answer = {**right.stats(first, last), **share(names, times)}
    if before is not None:
        old = [name for name in known if matches(before, *name)]
        won = [name for name in names if name not in old]
        lost = [name for name in old if name not in names]
        answer |= {"wins": share(won, times), "loses": share(lost, times)}
    return answer


def overlaps(
    right: Recount, first: date, last: date, others: Iterable[Goal]
) -> list[dict[str, Any]]:
    """The other goals that count some of the names, most shared names first."""
    within = happened(right.everything, first, last)
    known = known_names(right.everything)
    mine = {name for name in known if matches(right.goal, *name)}
    rows: list[dict[str, Any]] = []
    for goal in others:
        theirs = {name for name in known if matches(goal, *name)}
        common = mine & theirs
        relation = {
            (True, True): "same",
            (True, False): "within",
            (False, True): "contains",
        }.get((common == mine, common == theirs), "some")
        if common:
            row: dict[str, Any] = {
                "size": len(theirs),
                "id": str(goal.pk),
                "name": goal.name,
                "relation": relation,
                "names": len(common),
                "conversions": sum((raw.type, raw.name) in common for raw in within),
            }
            rows.append(row)
    rows.sort(key=lambda row: (-int(row["names"]), int(row.pop("size"))))
    return rows


def known_names(history: list[Raw]) -> list[Name]:
    """By type, in the order they were first sent; an event's page is a path."""
    names = []
    for raw in history:
        if not raw.refunds:
            names.append((raw.type, raw.name))
            names += [("pageview", raw.page)] if raw.page is not None else []
    return list(dict.fromkeys(names))


def share(names: list[Name], times: Counter[Name]) -> dict[str, Any]:
    rows = [{"name": name[1], "conversions": times[name]} for name in names]
    return {
        "conversions": sum(times[name] for name in names),
        # Sorting keeps the order of equal ones.
        "names": sorted(rows, key=lambda row: -int(row["conversions"])),
        "total_names": len(names),
    }


# The events of a visitor that were the steps, as far as they went.
Attempt = tuple[Raw, ...]


def funnel(
    attempts: list[Attempt], length: int, dimension: str | None = None, most: int = 100
) -> dict[str, Any]:
    """The numbers of each step, and of each value of the first."""
    visitors = at_each(attempts, length)
    steps = [
        {
            "visitors": number,
            "dropped": before - number,
            "share_of_previous": part(number, before),
            "share_of_first": part(number, visitors[0]),
            "median_seconds": median(attempts, step),
        }
        for step, (before, number) in enumerate(
            zip([visitors[0], *visitors], visitors, strict=False)
        )
    ]
    if dimension is None:
        return {"steps": steps}
    groups: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        value = shown(DIMENSIONS[dimension](attempt[0]))
        groups.setdefault(value, []).append(attempt)
    order = sorted(groups, key=lambda value: (-len(groups[value]), rank(value)))
    others = [attempt for value in order[most:] for attempt in groups[value]]
    return {
        "steps": steps,
        "dimension": dimension,
        "breakdown": [
            {"value": value, **through(groups[value], length)} for value in order[:most]
        ],
        "total_values": len(order),
        "other": {"values": len(order) - most, **through(others, length)}
        if others
        else None,
    }


def through(attempts: list[Attempt], length: int) -> dict[str, Any]:
    visitors = at_each(attempts, length)
    return {"visitors": visitors, "share_of_first": part(visitors[-1], visitors[0])}


def at_each(attempts: list[Attempt], length: int) -> list[int]:
    return [sum(len(attempt) > step for attempt in attempts) for step in range(length)]


def median(attempts: list[Attempt], step: int) -> int | None:
    """Of the whole seconds from the step before; of two in the middle the lower."""
    took = [
        (attempt[step].at - attempt[step - 1].at) // timedelta(seconds=1)
        for attempt in attempts
        if step and len(attempt) > step
    ]
    return median_low(took) if took else None


def part(number: int, whole: int) -> Decimal | None:
    return round(Decimal(number) / whole, 6) if whole else None


def attempts(
    raws: list[Raw], steps: Sequence[Goal | Rule], window: timedelta
) -> list[Attempt]:
    """Of each visitor and day the one that gets furthest, out of every way there is."""
    paths: dict[Any, list[Raw]] = {}
    for raw in raws:
        paths.setdefault((raw.day, raw.visitor), []).append(raw)
    found = []
    for path in paths.values():
        # Sorting keeps the order of what happened at the same moment.
        path.sort(key=lambda raw: raw.at)
        for length in range(len(steps), 0, -1):
            # They come in order of their first events, then of their second ones.
            ways = (
                way for way in combinations(path, length) if goes(way, steps, window)
            )
            if way := next(ways, None):
                found.append(way)
                break
    return found


def goes(way: Sequence[Raw], steps: Sequence[Goal | Rule], window: timedelta) -> bool:
    """Whether these events of a visitor, in order, are the first of the steps."""
    return way[-1].at - way[0].at <= window and all(
        matches(step, raw.type, raw.name) for step, raw in zip(steps, way, strict=False)
    )
