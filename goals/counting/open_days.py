"""What rules have counted so far on days that are not closed.

Beside the day itself (see `analytics.events.open_days`) a tally of each rule is
remembered: how far it has looked, and whom it has seen. A question looks at
what came since, however large the day is.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from analytics import events
from analytics.events import Counts, OpenDay, Selection
from analytics.questions.periods import Days, each_day
from analytics.recent import Recent
from goals.counting.rule_days import DayCount, DayCounts
from goals.matching import Rule

# Visitors remembered for all tallies together, about 60 bytes each.
_MAX_VISITORS = 2_000_000


class _Tally:
    def __init__(self, day: OpenDay) -> None:
        self.day = day
        self.position = 0
        self.amounts_seen = 0
        self.conversions = 0
        self.visitors: set[int] = set()
        self.sums: defaultdict[str | None, int] = defaultdict(int)

    def __len__(self) -> int:
        return len(self.visitors)

    def result(self) -> DayCount:
        amounts = {code: events.from_amount(sum) for code, sum in self.sums.items()}
        return DayCount(Counts(self.conversions, len(self.visitors)), amounts)

    def catch_up(self, names: Collection[int], end: int) -> None:
        """Count the day's events from where it stopped up to position `end`.

        Call it within the day's lock.
        """
        day, start = self.day, self.position
        if start < end:
            came = zip(day.names[start:end], day.visitors[start:end], strict=True)
            converters = [visitor for name, visitor in came if name in names]
            self.conversions += len(converters)
            self.visitors.update(converters)
            self.position = end
        for position, currency, amount in day.amounts[self.amounts_seen :]:
            if position >= end:
                break
            self.amounts_seen += 1
            if day.names[position] in names:
                self.sums[currency] += amount


_tallies: Recent[tuple[int, Rule, OpenDay], _Tally] = Recent(
    _MAX_VISITORS, lambda key: _Tally(key[2])
)


class Seen(NamedTuple):
    """Open days of a site, and up to which event of each it has been read."""

    days: dict[date, OpenDay]
    ends: dict[date, int]


def read(site_id: int, days: Days) -> Seen:
    """Read what came on these days since this process last did."""
    opened = events.opened(site_id, each_day(days))
    seen = max(open_day.last_id for open_day in opened.values())
    ends = {}
    for day, open_day in opened.items():
        with open_day.lock:
            ends[day] = open_day.refresh(seen)
    return Seen(opened, ends)


def count(
    site_id: int,
    seen: Seen,
    names: Mapping[Rule, Collection[int]],
    *,
    with_amounts: Collection[Rule],
) -> dict[date, DayCounts]:
    """What each rule has counted on these days up to where they were read.

    What others read of a day meanwhile may have names that are not in these.
    """
    found: dict[date, DayCounts] = {}
    for day, open_day in seen.days.items():
        tallies = _tallies.recall((site_id, rule, open_day) for rule in names)
        with open_day.lock:
            for (_, rule, _), tally in tallies.items():
                tally.catch_up(names[rule], seen.ends[day])
            found[day] = {
                rule: tally.result() for (_, rule, _), tally in tallies.items()
            }
    if with_amounts:
        selection = Selection(site_id, min(seen.days), max(seen.days))
        for (name, day, code), total in events.refunds_by_name(selection).items():
            for rule in with_amounts:
                if name in names[rule]:
                    amounts = dict(found[day][rule].amounts)
                    amounts[code] = amounts.get(code, Decimal()) + total
                    found[day][rule] = found[day][rule]._replace(amounts=amounts)
    return found


def forget() -> None:
    _tallies.forget()
