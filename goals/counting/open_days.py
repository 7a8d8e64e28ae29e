"""The counts of rules on days that are not closed yet.

For each rule and day a process remembers the last event it has counted and the
visitors it has seen, so that a query only reads later events. Tallies evicted from
memory are counted again.
"""

import threading
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import islice

from analytics import events
from analytics.events import Came, Converted, Counts, Refund, Selection
from analytics.events.months import Versions
from analytics.recent import Recent
from goals.counting.matched_names import Names
from goals.counting.name_classes import BitCounts, Classes
from goals.counting.rule_months import NOTHING, ByDay, DayCount
from goals.counting.sent_names import SentNames
from goals.matching import Rule
from krafter.errors import Unavailable

# Visitors remembered for all sites, rules and days together: 8 bytes each, and
# 100 for one in eight, those that came last.
_MAX_VISITORS = 4_000_000
# Events read into memory at once.
_CHUNK = 2_000
# Maximum number of names in a query, and of names whose rules are cached meanwhile.
_MAX_NAMES = 10_000
# How long a query waits for another query about the same site, in seconds.
_WAIT_SECONDS = 20.0


class Visitors:
    """A set of 64-bit numbers: the newest in a set, the others in a sorted array."""

    def __init__(self) -> None:
        self._sorted = array("q")
        self._last: set[int] = set()

    def __len__(self) -> int:
        return len(self._sorted) + len(self._last)

    @property
    def size(self) -> int:
        return len(self)

    def add(self, visitor: int) -> None:
        known = self._sorted
        position = bisect_left(known, visitor)
        if position == len(known) or known[position] != visitor:
            self._last.add(visitor)
            if len(self._last) > max(1_000, len(known) // 8):
                self._merge()

    def _merge(self) -> None:
        # In slices: a list of all numbers would take five times the memory.
        known, merged, start = self._sorted, array("q"), 0
        for visitor in sorted(self._last):
            end = bisect_left(known, visitor, start)
            merged.extend(known[start:end])
            merged.append(visitor)
            start = end
        merged.extend(known[start:])
        self._sorted, self._last = merged, set()


class ManyVisitors:
    """The visitors that many rules counted on a day: a bit for each of the rules."""

    def __init__(self, rules: int, masks: Mapping[int, int]) -> None:
        known: dict[int, int] = {}
        self.masks = {
            visitor: known.setdefault(mask, mask) for visitor, mask in masks.items()
        }
        self._rules = rules

    @property
    def size_of_each(self) -> int:
        """The part of one rule, in numbers of 8 bytes."""
        return len(self.masks) * (15 + self._rules // 60) // self._rules


class OneOfMany:
    """The visitors that one of many rules counted."""

    def __init__(self, many: ManyVisitors, place: int, number: int) -> None:
        self._many = many
        self._bit = 1 << place
        self._number = number

    def __len__(self) -> int:
        return self._number

    @property
    def size(self) -> int:
        return self._many.size_of_each

    def add(self, visitor: int) -> None:
        mask = self._many.masks.get(visitor, 0)
        if not mask & self._bit:
            self._many.masks[visitor] = mask | self._bit
            self._number += 1


class Tally:
    """The counts of a rule on a day, up to the event with the id `position`."""

    def __init__(self) -> None:
        self.position = 0
        self.conversions = 0
        self.visitors: Visitors | OneOfMany = Visitors()
        self.sums: defaultdict[str | None, int] = defaultdict(int)

    def __len__(self) -> int:
        """Its visitors, in numbers of 8 bytes."""
        return self.visitors.size

    def add(self, event: Came) -> None:
        """Count an event. The caller sets `position` after the whole chunk."""
        self.conversions += 1
        self.visitors.add(event.visitor)
        if event.amount is not None:
            self.sums[event.currency] += event.amount

    def take(self, other: "Tally", position: int) -> None:
        """Take over the counts and the position of another tally."""
        self.conversions, self.visitors = other.conversions, other.visitors
        self.sums, self.position = other.sums, position

    def result(self) -> DayCount:
        amounts = {code: events.from_amount(sum) for code, sum in self.sums.items()}
        return DayCount(Counts(self.conversions, len(self.visitors)), amounts)


# The version of a day rises when events of it are erased: it is then counted again.
_Key = tuple[int, Rule, date, int]
_Tallies = Mapping[_Key, Tally]

_tallies: Recent[_Key, Tally] = Recent(_MAX_VISITORS, lambda key: Tally())
# Sites share a fixed number of locks. A query holds the lock while it reads new events,
# so that a second query about the same site need not read them as well.
_locks = [threading.Lock() for _ in range(64)]


class OpenDays:
    """The tallies of some rules, up to the last event of each day."""

    def __init__(
        self,
        site_id: int,
        rules: Collection[Rule],
        ends: Mapping[date, int],
        versions: Versions,
    ) -> None:
        self.site_id = site_id
        self._ends = ends
        self._tallies = _tallies.recall(
            (site_id, rule, day, versions.of_day(day)) for rule in rules for day in ends
        )
        self._of_rule: dict[Rule, dict[date, Tally]] = {rule: {} for rule in rules}
        for (_, rule, day, _), tally in self._tallies.items():
            self._of_rule[rule][day] = tally

    @property
    def is_behind(self) -> bool:
        """Whether there are events that a rule has not counted yet."""
        return any(
            tally.position < self._ends[day]
            for (_, _, day, _), tally in self._tallies.items()
        )

    def catch_up(self, names: Mapping[Rule, Names]) -> None:
        """Count the new events. `names` must be read after the ends of the days."""
        lock = _locks[self.site_id % len(_locks)]
        if not lock.acquire(timeout=_WAIT_SECONDS):
            raise Unavailable("Today's events are still being counted; retry")
        try:
            behind = {
                key: tally
                for key, tally in self._tallies.items()
                if tally.position < self._ends[key[2]]
            }
            started = {key: tally for key, tally in behind.items() if tally.position}
            if started:
                self._read(started, names)
            for day in self._ends:
                fresh = {
                    rule: tally
                    for (_, rule, its_day, _), tally in behind.items()
                    if its_day == day and not tally.position
                }
                self._begin(day, fresh, names)
        finally:
            lock.release()
            _tallies.settle(self._tallies)

    def _begin(
        self,
        day: date,
        tallies: Mapping[Rule, Tally],
        names: Mapping[Rule, Names],
    ) -> None:
        """Let the database count the day for rules without any count of it."""
        selection = Selection(self.site_id, day, day)
        sent = SentNames(selection, {rule: names[rule] for rule in tallies})
        counted = {rule: Tally() for rule in tallies}
        if (by_mask := sent.classes()) is None:
            for portion in sent.portions():
                rules = list(portion)
                for found in self._converted(day, portion.values()):
                    tally = counted[rules[found.question]]
                    if found.visitor is None:
                        tally.sums[found.currency] += found.amount
                    else:
                        tally.conversions += found.times
                        tally.visitors.add(found.visitor)
        else:
            counted |= self._by_class(day, sent.rules, by_mask)
        # Only after everything was read: an interrupted query starts again.
        for rule, tally in tallies.items():
            tally.take(counted[rule], self._ends[day])

    def _by_class(
        self, day: date, rules: Sequence[Rule], by_mask: Classes
    ) -> dict[Rule, Tally]:
        masks = list(by_mask)
        times, visitors = BitCounts(), dict[int, int]()
        sums: defaultdict[str | None, BitCounts] = defaultdict(BitCounts)
        for found in self._converted(day, by_mask.values()):
            mask = masks[found.question]
            if found.visitor is None:
                sums[found.currency].add(mask, found.amount)
            else:
                times.add(mask, found.times)
                visitors[found.visitor] = visitors.get(found.visitor, 0) | mask
        many = ManyVisitors(len(rules), visitors)
        begun = [Tally() for _ in rules]
        uniques = BitCounts()
        for mask in many.masks.values():
            uniques.add(mask)
        numbers = uniques.counts()
        for place, tally in enumerate(begun):
            tally.visitors = OneOfMany(many, place, numbers.get(place, 0))
        for place, number in times.counts().items():
            begun[place].conversions = number
        for currency, amounts in sums.items():
            for place, amount in amounts.counts().items():
                begun[place].sums[currency] = amount
        return dict(zip(rules, begun, strict=True))

    def _converted(
        self, day: date, names: Iterable[Collection[int]]
    ) -> Iterator[Converted]:
        end = self._ends[day]
        return events.converted(self.site_id, day, dict(enumerate(names)), up_to=end)

    def _read(self, tallies: _Tallies, names: Mapping[Rule, Names]) -> None:
        days = {day for _, _, day, _ in tallies}
        rules = {rule for _, rule, _, _ in tallies}
        is_some = sum(len(names[rule]) for rule in rules) < _MAX_NAMES
        came = events.came(
            self.site_id,
            days,
            after=min(tally.position for tally in tallies.values()),
            up_to=max(self._ends[day] for day in days),
            name_ids=set().union(*(names[r] for r in rules)) if is_some else None,
        )
        concerned: dict[tuple[date, int], list[Tally]] = {}
        while chunk := list(islice(came, _CHUNK)):
            if len(concerned) > _MAX_NAMES:
                concerned.clear()
            for event in chunk:
                key = (event.day, event.name_id)
                if key not in concerned:
                    concerned[key] = [
                        tally
                        for (_, rule, day, _), tally in tallies.items()
                        if day == event.day and event.name_id in names[rule]
                    ]
                for tally in concerned[key]:
                    if tally.position < event.id <= self._ends[event.day]:
                        tally.add(event)
            for (_, _, day, _), tally in tallies.items():
                position = min(chunk[-1].id, self._ends[day])
                tally.position = max(tally.position, position)
        for (_, _, day, _), tally in tallies.items():
            tally.position = max(tally.position, self._ends[day])

    def by_day(
        self,
        rule: Rule,
        refunds: Collection[Refund] = (),
        names: Collection[int] = (),
    ) -> ByDay:
        """The counts of the rule by day, refunds subtracted."""
        found = {day: tally.result() for day, tally in self._of_rule[rule].items()}
        for refund in refunds:
            if refund.name_id in names:
                before = found.get(refund.day, NOTHING)
                total = before.amounts.get(refund.currency, Decimal()) + refund.total
                amounts = {**before.amounts, refund.currency: total}
                found[refund.day] = before._replace(amounts=amounts)
        return found


def forget() -> None:
    _tallies.forget()
