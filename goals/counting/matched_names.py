"""Which of a site's names a rule matches, each looked at once.

A process remembers for a rule how far in the site's dictionary it has looked,
and goes on from there: ids of names become visible in ascending order.
"""

import threading
from collections.abc import Iterable, Sequence
from itertools import islice

from analytics import events
from analytics.recent import Recent
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

    def __len__(self) -> int:
        return len(self.ids)

    def look_at(self, names: Sequence[tuple[int, str]], rule: Rule) -> None:
        """Go on to the end of these, which begin no later than it has looked."""
        matches = rule.matcher()
        with self.lock:
            fresh = {pk for pk, name in names if pk > self.last_id and matches(name)}
            self.last_id = max(self.last_id, names[-1][0])
            if fresh:
                self.ids |= fresh


_matched: Recent[tuple[int, Rule], _Matched] = Recent(_MAX_IDS, lambda key: _Matched())


def matching_names(site_id: int, rule: Rule) -> frozenset[int]:
    """The ids of the names that the rule matches, of all the site ever sent."""
    return matching_names_of_each(site_id, [rule])[rule]


def matching_names_of_each(
    site_id: int, rules: Iterable[Rule]
) -> dict[Rule, frozenset[int]]:
    """The same for many rules, in one look at the names of each type."""
    rules = set(rules)
    exact = [rule for rule in rules if rule.match_type == "exact"]
    # By the index: a name that is given need not be searched for.
    sent = (
        events.named(site_id, [(rule.event_type, rule.match_value) for rule in exact])
        if exact
        else []
    )
    found = {
        rule: frozenset(pk for pk, type, name in sent if rule.matches(type, name))
        for rule in exact
    }
    searched = rules.difference(exact)
    for event_type in sorted({rule.event_type for rule in searched}):
        own = {rule for rule in searched if rule.event_type == event_type}
        known = _matched.recall((site_id, rule) for rule in own)
        after = min(matched.last_id for matched in known.values())
        names = events.names(site_id, event_type, after=after)
        while some := list(islice(names, _CHUNK)):
            for (_, rule), matched in known.items():
                matched.look_at(some, rule)
        found |= {rule: matched.ids for (_, rule), matched in known.items()}
    return found


def forget() -> None:
    _matched.forget()
