"""Which of a site's names a rule matches, each looked at once.

A process remembers for a rule how far in the site's dictionary it has looked,
and goes on from there: ids of names become visible in ascending order.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable

from analytics import events
from goals.matching import Rule

# Ids remembered for all rules together, about 100 bytes each.
_MAX_IDS = 1_000_000


class _Matched:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ids: frozenset[int] = frozenset()
        self.last_id = 0


_remembered: OrderedDict[tuple[int, Rule], _Matched] = OrderedDict()
_lock = threading.Lock()


def matching_names(site_id: int, rule: Rule) -> frozenset[int]:
    """The ids of the names that the rule matches, of all the site ever sent."""
    matches = rule.matcher()
    if rule.match_type == "exact":
        candidates = events.named(site_id, rule.match_value, types=[rule.event_type])
        return frozenset(pk for pk, name in candidates if matches(name))
    matched = _recall(site_id, rule)
    with matched.lock:
        found = set()
        for pk, name in events.names(site_id, rule.event_type, after=matched.last_id):
            matched.last_id = pk
            if matches(name):
                found.add(pk)
        if found:
            matched.ids |= found
        return matched.ids


def matching_names_of_each(
    site_id: int, rules: Iterable[Rule]
) -> dict[Rule, list[int]]:
    """`matching_names` of many rules, in one look at the names of each type."""
    found: dict[Rule, list[int]] = {rule: [] for rule in rules}
    for event_type in sorted({rule.event_type for rule in found}):
        own = [
            (rule.matcher(), ids)
            for rule, ids in found.items()
            if rule.event_type == event_type
        ]
        for pk, name in events.names(site_id, event_type):
            for matches, ids in own:
                if matches(name):
                    ids.append(pk)
    return found


def _recall(site_id: int, rule: Rule) -> _Matched:
    with _lock:
        matched = _remembered.setdefault((site_id, rule), _Matched())
        _remembered.move_to_end((site_id, rule))
        total = sum(len(other.ids) for other in _remembered.values())
        while total > _MAX_IDS and len(_remembered) > 1:
            total -= len(_remembered.popitem(last=False)[1].ids)
        return matched


def forget() -> None:
    with _lock:
        _remembered.clear()
