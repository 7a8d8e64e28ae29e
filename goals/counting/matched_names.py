"""Which of a site's names a rule matches. Each name is compared with a rule once.

Each process remembers up to which id it has compared the names of the site, and the
database stores it, so that no process starts from the beginning. Ids of names become
visible in ascending order, so a rule can continue after the last id it has seen.
"""

import sys
import threading
import time
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from analytics import events
from analytics.events.closed_days import BUDGET_SECONDS
from analytics.recent import Recent
from goals.counting.id_sets import IdSet
from goals.matching import Rule, RuleSet, matching_rules
from goals.models import RuleNames
from krafter import faults
from krafter.errors import Unavailable

# Ids held in memory for all rules together, 8 bytes each at most.
_MAX_IDS = 4_000_000
# Names read into memory at once, since a site may have millions. Fewer for many rules,
# so that the time limit is checked often enough: 2,000 for 1,000 rules, about 0.4 s.
_CHUNK = 10_000
_COMPARISONS = 2_000_000
# A row is rewritten after comparing this many new names, and a tenth of its compared
# names, so that a large row is not rewritten for each new name.
_WORTH_KEEPING = 1_000
_SHARE = 10
# A statement that stores matches has at most one row more than this.
_STORED_BYTES = 2_000_000
_UNFINISHED = "The names of events are still being matched; retry"


def packed(ids: bytes) -> bytes:
    """Ids of 8 bytes each, for the database.

    All first bytes, then all second ones and so on: the ids of a broad rule are
    consecutive, and take a hundredth of the space. The length is never a multiple of 8
    bytes, unlike that of rows stored before ids were packed.
    """
    planes = zlib.compress(b"".join(ids[n::8] for n in range(8)), level=1)
    return planes if len(planes) % 8 else planes + b"\0"


def unpacked(stored: bytes) -> bytes:
    if len(stored) % 8 == 0:
        return stored
    planes = zlib.decompressobj().decompress(stored)
    ids, number = bytearray(len(planes)), len(planes) // 8
    for n in range(8):
        ids[n::8] = planes[n * number : (n + 1) * number]
    return bytes(ids)


class Names(Collection[int]):
    """Ids of matched names, ascending. `seen`: the last compared id."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.seen = 0
        self.kept_names = 0
        self.looked_at = 0
        self.ids = IdSet()

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[int]:
        return iter(self.ids)

    def __contains__(self, name_id: Any) -> bool:
        return name_id in self.ids

    @property
    def size(self) -> int:
        return self.ids.size

    def add(self, ids: Sequence[int], *, seen: int, names: int) -> None:
        """Add the ids, ascending, that match among `names` more, up to `seen`."""
        with self.lock:
            if seen > self.seen:
                self.ids.extend(ids[bisect_right(ids, self.seen) :])
                self.seen = seen
                self.looked_at += names

    def load(self, seen: int, ids: bytes) -> None:
        loaded = array("q", unpacked(ids))
        if sys.byteorder == "big":
            loaded.byteswap()
        with self.lock:
            if seen > self.seen:
                self.ids, self.seen = IdSet(), seen
                self.ids.extend(loaded)

    def dump(self) -> bytes:
        dumped = array("q", self.ids)
        if sys.byteorder == "big":
            dumped.byteswap()
        return packed(dumped.tobytes())


_names: Recent[tuple[int, Rule], Names] = Recent(
    _MAX_IDS, lambda key: Names(), size=lambda names: names.size
)


def remembered(site_id: int, rules: Iterable[Rule]) -> dict[Rule, Names] | None:
    """Return the cached matches of these rules in this process, by rule.

    None if one of them was never compared by this process.
    """
    known = _names.recall((site_id, rule) for rule in rules)
    if not all(names.seen for names in known.values()):
        return None
    return {rule: names for (_, rule), names in known.items()}


def look_at(
    site_id: int, known: Mapping[Rule, Names], fresh: Sequence[tuple[int, str, str]]
) -> None:
    """Compare rules with all names (id, type, name) after those they have seen."""
    if fresh:
        for event_type in {rule.event_type for rule in known}:
            own = [(id, name) for id, type, name in fresh if type == event_type]
            _compare(known, event_type, own, seen=fresh[-1][0])
        _names.settle((site_id, rule) for rule in known)


def matching_names(site_id: int, rule: Rule) -> Names:
    """The ids of all names of the site that the rule matches."""
    return matching_names_of_each(site_id, [rule])[rule]


def matching_names_of_each(
    site_id: int, rules: Iterable[Rule], *, budget: float | None = BUDGET_SECONDS
) -> dict[Rule, Names]:
    """The ids for many rules, in one pass over the names of each type.

    Raises Unavailable when this takes longer than `budget` seconds; the next try
    continues where this one stopped.
    """
    end = None if budget is None else time.monotonic() + budget
    recalled = _names.recall((site_id, rule) for rule in rules)
    known = {rule: names for (_, rule), names in recalled.items()}
    unknown = {rule: names for rule, names in known.items() if not names.seen}
    last_id = events.last_name_id(site_id) if unknown else 0
    searched = dict(known)
    if exact := [rule for rule in unknown if rule.match_type == "exact"]:
        # A lookup by the unique index, without a search.
        sent = events.named(site_id, [(r.event_type, r.match_value) for r in exact])
        for rule in exact:
            ids = [id for id, type, name in sent if rule.matches(type, name)]
            unknown[rule].add(ids, seen=max([last_id, *ids]), names=0)
            del searched[rule], unknown[rule]
    if unknown:
        by_digest = {rule.digest: names for rule, names in unknown.items()}
        rows = RuleNames.objects.filter(site_id=site_id, rule__in=list(by_digest))
        for digest, up_to, stored in rows.values_list("rule", "seen", "ids"):
            by_digest[bytes(digest)].load(up_to, bytes(stored))
    # Reused, because an automaton caches its states: later names take half as long.
    compile = lru_cache(1)(RuleSet)
    for event_type in sorted({rule.event_type for rule in searched}):
        own = {rule: n for rule, n in searched.items() if rule.event_type == event_type}
        after = min(names.seen for names in own.values())
        limit = max(1, min(_CHUNK, _COMPARISONS // len(own)))
        some = events.names(site_id, event_type, after=after, limit=limit)
        while some:
            after = some[-1][0]
            _compare(own, event_type, some, seen=after, compile=compile)
            if len(some) < limit:
                break
            if end is not None and time.monotonic() > end:
                _keep(site_id, own, end)
                raise Unavailable(_UNFINISHED)
            some = events.names(site_id, event_type, after=after, limit=limit)
        for names in own.values():
            # A rule matches names of its own type only.
            names.add((), seen=last_id, names=0)
        _keep(site_id, own, end)
    _names.settle(recalled)
    return known


def _compare(
    known: Mapping[Rule, Names],
    event_type: str,
    some: Sequence[tuple[int, str]],
    *,
    seen: int,
    compile: Callable[[Sequence[Rule]], RuleSet] = RuleSet,
) -> None:
    behind = [
        (rule, names)
        for rule, names in known.items()
        if rule.event_type == event_type and names.seen < seen
    ]
    rules = [rule for rule, _ in behind]
    found = matching_rules(rules, [name for _, name in some], compile)
    all_ids = [id for id, _ in some]
    for position, numbers in found:
        ids = list(map(all_ids.__getitem__, numbers))
        behind[position][1].add(ids, seen=seen, names=len(some))


def _keep(site_id: int, known: Mapping[Rule, Names], end: float | None) -> None:
    """Store matches that took long to find.

    A thousand broad rules have more matches than can be stored in time: after `end`
    one more statement is sent, and the next query continues.
    """
    worth = [
        (rule.digest, names)
        for rule, names in known.items()
        if names.looked_at - names.kept_names
        >= max(_WORTH_KEEPING, names.kept_names // _SHARE)
    ]
    worth.sort(key=itemgetter(0))
    with faults.unwritten():
        while worth:
            _store(site_id, worth)
            if end is not None and time.monotonic() > end:
                return


def _store(site_id: int, worth: list[tuple[bytes, Names]]) -> None:
    """Store the first of these in one statement, and remove them from the list."""
    rows, size, done = [], 0, []
    while worth and size < _STORED_BYTES:
        digest, names = worth.pop(0)
        with names.lock:
            ids = names.dump()
            rows.append(
                RuleNames(site_id=site_id, rule=digest, seen=names.seen, ids=ids)
            )
            done.append((names, names.looked_at))
        size += len(ids)
    RuleNames.objects.bulk_create(
        rows,
        batch_size=100,
        update_conflicts=True,
        unique_fields=["site", "rule"],
        update_fields=["seen", "ids"],
    )
    for names, looked_at in done:
        names.kept_names = looked_at


def forget() -> None:
    _names.forget()
