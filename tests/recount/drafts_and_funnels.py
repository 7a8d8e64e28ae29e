"""A slow recount of previews, and of funnels by every way that there is."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations
from typing import Any

from goals.matching import Rule
from goals.models import Goal
from tests.recount.goals import Raw, Recount, happened, matches

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


def funnel(
    raws: list[Raw], steps: Sequence[Goal | Rule], window: timedelta
) -> list[dict[str, Any]]:
    """The numbers of each step, out of the events of some days."""
    visitors = funnel_visitors(raws, steps, window)
    return [
        {
            "visitors": number,
            "dropped": before - number,
            "share_of_previous": part(number, before),
            "share_of_first": part(number, visitors[0]),
        }
        for before, number in zip([visitors[0], *visitors], visitors, strict=False)
    ]


def part(number: int, whole: int) -> Decimal | None:
    return round(Decimal(number) / whole, 6) if whole else None


def funnel_visitors(
    raws: list[Raw], steps: Sequence[Goal | Rule], window: timedelta
) -> list[int]:
    """Visitors by step, from every way that each of them could have gone."""
    paths: dict[Any, list[Raw]] = {}
    for raw in raws:
        paths.setdefault((raw.day, raw.visitor), []).append(raw)
    for path in paths.values():
        # Sorting keeps the order of what happened at the same moment.
        path.sort(key=lambda raw: raw.at)
    return [
        sum(goes(path, steps[:length], window) for path in paths.values())
        for length in range(1, len(steps) + 1)
    ]


def goes(path: list[Raw], steps: Sequence[Goal | Rule], window: timedelta) -> bool:
    """Whether some events of a visitor, in order, are these steps. Slow."""
    return any(
        chosen[-1].at - chosen[0].at <= window
        and all(
            matches(step, raw.type, raw.name)
            for step, raw in zip(steps, chosen, strict=True)
        )
        for chosen in combinations(path, len(steps))
    )
