"""What rules have counted so far on days that are not closed.

Beside the day itself (see `analytics.events.open_days`) a tally of each rule is
remembered: how far it has looked, and whom it has seen. A question looks at
what came since, however large the day is.
"""

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable
from datetime import date
from decimal import Decimal

from analytics import events
from analytics.events import Counts, OpenDay, Selection
from analytics.questions.periods import Days, each_day
from goals.counting.matched_names import matching_names_of_each
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


_tallies: OrderedDict[tuple[int, Rule, date], _Tally] = OrderedDict()
_lock = threading.Lock()


def count_open_days(
    site_id: int, rules: Iterable[Rule], days: Days, *, with_amounts: Collection[Rule]
) -> dict[date, DayCounts]:
    """What each rule has counted on these days up to now."""
    ends: dict[date, int] = {}
    opened = {day: events.open_day(site_id, day) for day in each_day(days)}
    seen = max(open_day.last_id for open_day in opened.values())
    for day, open_day in opened.items():
        with open_day.lock:
            ends[day] = open_day.refresh(seen)
    # After the events, whose names were there with them or before. What others
    # read of the day meanwhile may have names that are not in these: `ends`.
    names = matching_names_of_each(site_id, rules)
    found: dict[date, DayCounts] = {}
    for day, open_day in opened.items():
        tallies = _recall(site_id, names, day, open_day)
        with open_day.lock:
            for rule, tally in tallies.items():
                tally.catch_up(names[rule], ends[day])
            found[day] = {rule: tally.result() for rule, tally in tallies.items()}
    if with_amounts:
        refunds = events.refunds_by_name(Selection(site_id, *days))
        for (name, day, code), total in refunds.items():
            for rule in with_amounts:
                if name in names[rule]:
                    amounts = dict(found[day][rule].amounts)
                    amounts[code] = amounts.get(code, Decimal()) + total
                    found[day][rule] = found[day][rule]._replace(amounts=amounts)
    return found


def _recall(
    site_id: int, rules: Iterable[Rule], day: date, open_day: OpenDay
) -> dict[Rule, _Tally]:
    with _lock:
        recalled = {}
        for rule in rules:
            key = (site_id, rule, day)
            tally = _tallies.get(key)
            if tally is None or tally.day is not open_day:
                tally = _tallies[key] = _Tally(open_day)
            _tallies.move_to_end(key)
            recalled[rule] = tally
        total = sum(len(other.visitors) for other in _tallies.values())
        while total > _MAX_VISITORS and len(_tallies) > len(recalled):
            total -= len(_tallies.popitem(last=False)[1].visitors)
        return recalled


def forget() -> None:
    with _lock:
        _tallies.clear()
