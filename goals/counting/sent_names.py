"""The names that rules match, without those that have no events on the days.

A site may have a million names, of which few are sent on a day. A statement about a day
would otherwise take as long as its list of names.
"""

from collections.abc import Collection, Iterator, Mapping

from analytics import events
from analytics.events import Selection
from goals.counting.matched_names import Names
from goals.counting.name_classes import Classes, classes
from goals.matching import Rule

# Pairs of a rule and a name above which the names that were sent are looked up first.
_MANY_PAIRS = 50_000
# Pairs of a rule and a name sent with one statement. More pairs of many rules are
# counted by class of names.
_MAX_PAIRS = 200_000
_MANY_RULES = 50


class SentNames:
    """The names of some rules on the days of a selection."""

    def __init__(self, selection: Selection, names: Mapping[Rule, Names]) -> None:
        self._sets = {rule: found.ids for rule, found in names.items() if found}
        is_many = sum(map(len, self._sets.values())) > _MANY_PAIRS
        self._sent = sorted(events.sent_names(selection)) if is_many else None

    @property
    def rules(self) -> list[Rule]:
        """The rules that match a name of the site."""
        return list(self._sets)

    def classes(self) -> Classes | None:
        """By the rules that match them, in the order of `rules`; None: too few.

        A visitor counted by class takes the memory of ten that are counted by rule.
        """
        if self._sent is None or len(self._sets) < _MANY_RULES:
            return None
        pairs = 0
        for ids in self._sets.values():
            pairs += ids.number_of(self._sent)
            if pairs > _MAX_PAIRS:
                return classes(tuple(self._sets.values()), self._sent)
        return None

    def portions(self) -> Iterator[dict[Rule, Collection[int]]]:
        """The rules with their names, in groups small enough for one statement."""
        some: dict[Rule, Collection[int]] = {}
        pairs = 0
        for rule, ids in self._sets.items():
            own = ids if self._sent is None else ids.among(self._sent)
            if some and pairs + len(own) > _MAX_PAIRS:
                yield some
                some, pairs = {}, 0
            if own:
                some[rule] = own
                pairs += len(own)
        if some:
            yield some
