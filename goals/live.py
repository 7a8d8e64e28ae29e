"""What a rule has counted so far on days that are not closed.

Beside the day itself (see `analytics.events.live`) a tally of each rule is
remembered: how far it has looked, and whom it has seen. A question looks at
what came since, however large the day is.
"""

import threading
from collections import OrderedDict, defaultdict
from datetime import date
from decimal import Decimal

from analytics import events
from analytics.events import Counts, LiveDay, Scope
from goals.matching import Rule
from goals.names import matching_names
from goals.rollups import DayCount

# Visitors remembered for all tallies together, about 60 bytes each.
_MAX_VISITORS = 2_000_000


class _Tally:
    def __init__(self, day: LiveDay) -> None:
        self.day = day
        self.position = 0
        self.amount_position = 0
        self.conversions = 0
        self.visitors: set[int] = set()
        self.sums: defaultdict[str | None, int] = defaultdict(int)

    def catch_up(self, names: frozenset[int]) -> None:
        """Count the day's events from where it stopped, which takes its lock."""
        day = self.day
        for position in range(self.position, len(day)):
            if day.names[position] in names:
                self.conversions += 1
                self.visitors.add(day.visitors[position])
        self.position = len(day)
        for position, currency, amount in day.amounts[self.amount_position :]:
            if day.names[position] in names:
                self.sums[currency] += amount
        self.amount_position = len(day.amounts)


_tallies: OrderedDict[tuple[int, Rule, date], _Tally] = OrderedDict()
_lock = threading.Lock()


def live_day(site_id: int, rule: Rule, day: date) -> DayCount:
    """What the rule has counted on that day up to now."""
    live = events.live_day(site_id, day)
    with live.lock:
        live.refresh()
        # After the events: their names were there with them, or before.
        names = matching_names(site_id, rule)
        tally = _recall(site_id, rule, day, live)
        tally.catch_up(names)
        amounts = {
            code: events.from_amount(amount) for code, amount in tally.sums.items()
        }
        counts = Counts(tally.conversions, len(tally.visitors))
    for (_, code), refund in events.refunded(Scope(site_id, day, day), names).items():
        amounts[code] = amounts.get(code, Decimal()) + refund.total
    return DayCount(counts, amounts)


def _recall(site_id: int, rule: Rule, day: date, live: LiveDay) -> _Tally:
    key = (site_id, rule, day)
    with _lock:
        tally = _tallies.get(key)
        if tally is None or tally.day is not live:
            tally = _tallies[key] = _Tally(live)
        _tallies.move_to_end(key)
        total = sum(len(other.visitors) for other in _tallies.values())
        while total > _MAX_VISITORS and len(_tallies) > 1:
            total -= len(_tallies.popitem(last=False)[1].visitors)
        return tally


def forget() -> None:
    with _lock:
        _tallies.clear()
