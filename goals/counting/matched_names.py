"""Which of a site's names a rule matches, each looked at once.

A process remembers for a rule how far in the site's dictionary it has looked,
and goes on from there: ids of names become visible in ascending order.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import islice

from analytics import events
from goals.matching import Rule

# Ids remembered for all rules together, about 100 bytes each.
_MAX_IDS = 1_000_000
# Names held at once on the way: a site may have millions.
_CHUNK = 10_000


class _Matched:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ids: frozenset[int] = frozenset()
        self.last_id = 0

    def look_at(self, names: Sequence[tuple[int, str]], rule: Rule) -> None:
        """Go on to the end of these, which begin no later than it has looked."""
        matches = rule.matcher()
        with self.lock:
            fresh = {pk for pk, name in names if pk > self.last_id and matches(name)}
            self.last_id = max(self.last_id, names[-1][0])
            if fresh:
                self.ids |= fresh


_remembered: OrderedDict[tuple[int, Rule], _Matched] = OrderedDict()
_lock = threading.Lock()


def matching_names(site_id: int, rule: Rule) -> frozenset[int]:
    """The ids of the names that the rule matches, of all the site ever sent."""
    return matching_names_of_each(site_id, [rule])[rule]


def matching_names_of_each(
    site_id: int, rules: Iterable[Rule]
) -> dict[Rule, frozenset[int]]:
    """The same for many rules, in one look at the names of each type."""
    rules = set(rules)
    exact = {rule for rule in rules if rule.match_type == "exact"}
    found = _looked_up(site_id, exact) if exact else {}
    for event_type in sorted({rule.event_type for rule in rules - exact}):
        own = [rule for rule in rules - exact if rule.event_type == event_type]
        found |= _searched(site_id, event_type, own)
    return found


def _looked_up(site_id: int, rules: Iterable[Rule]) -> dict[Rule, frozenset[int]]:
    """By the index: a name that is given need not be searched for."""
    candidates = events.named(
        site_id, [(rule.event_type, rule.match_value) for rule in rules]
    )
    return {
        rule: frozenset(pk for pk, type, name in candidates if rule.matches(type, name))
        for rule in rules
    }


def _searched(
    site_id: int, event_type: str, rules: Sequence[Rule]
) -> dict[Rule, frozenset[int]]:
    matched = _recall(site_id, rules)
    after = min(known.last_id for known in matched.values())
    names = events.names(site_id, event_type, after=after)
    while some := list(islice(names, _CHUNK)):
        for rule, known in matched.items():
            known.look_at(some, rule)
    return {rule: known.ids for rule, known in matched.items()}


def _recall(site_id: int, rules: Iterable[Rule]) -> dict[Rule, _Matched]:
    with _lock:
        matched = {}
        for rule in rules:
            key = (site_id, rule)
            matched[rule] = _remembered.setdefault(key, _Matched())
            _remembered.move_to_end(key)
        total = sum(len(other.ids) for other in _remembered.values())
        while total > _MAX_IDS and len(_remembered) > len(matched):
            total -= len(_remembered.popitem(last=False)[1].ids)
        return matched


def forget() -> None:
    with _lock:
        _remembered.clear()
