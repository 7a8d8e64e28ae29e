"""Counts of open days by the values of labels, in the memory of a process.

For each day the process remembers the id of the last event it has counted. Later events
change only the counts of the visitors who sent them: the old counts of these visitors
are subtracted, and their new counts added. So an event that arrives late within its
visitor's day is counted exactly.
"""

from collections.abc import Mapping
from datetime import date
from threading import Lock
from typing import NamedTuple

from analytics.events.cells import ByDay, DayParts, plus
from analytics.events.label_months import Kept
from analytics.events.months import Versions
from analytics.events.spans import Changed
from analytics.recent import Recent

# Values, and sets of values of visitors, held in memory for all sites, rules and days
# together: about 300 bytes each.
_MAX_VALUES = 200_000


class _Key(NamedTuple):
    of: Kept
    label: str
    day: date
    # Raised when events of the day are erased: the day is then counted again.
    version: int


class _Tally:
    """The counts of a day up to the event with the id `position`."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.position = 0
        self.parts = DayParts({}, {})

    def __len__(self) -> int:
        return len(self.parts.groups) + len(self.parts.visitors)


_tallies: Recent[_Key, _Tally] = Recent(_MAX_VALUES, lambda key: _Tally())


class OpenLabels:
    """Counts by some labels of each open day, up to its last event."""

    def __init__(
        self, of: Kept, labels: list[str], ends: Mapping[date, int], versions: Versions
    ) -> None:
        self._ends = ends
        self._keys = [
            _Key(of, label, day, versions.of_day(day))
            for label in labels
            for day in ends
        ]
        self._tallies = _tallies.recall(self._keys)
        self._site_id = of.site_id
        # Another query may change the counts meanwhile; this one keeps its own.
        self._seen = {
            (key.label, key.day): (tally.position, tally.parts)
            for key, tally in self._tallies.items()
        }

    def behind(self) -> list[tuple[list[str], Changed]]:
        """The visitors with new events, by labels."""
        found: dict[tuple[date, int], list[str]] = {}
        for (label, day), (position, _) in self._seen.items():
            if position < self._ends[day]:
                found.setdefault((day, position), []).append(label)
        return [
            (labels, Changed(self._site_id, day, position, self._ends[day]))
            for (day, position), labels in found.items()
        ]

    def add(
        self, day: date, added: Mapping[str, ByDay], taken: Mapping[str, ByDay]
    ) -> None:
        """Update the counts of a day to its end.

        `added`: the counts of the changed visitors, `taken`: those before their new
        events, both by the same labels.
        """
        nothing = DayParts({}, {})
        for key in self._keys:
            if key.day != day or key.label not in added:
                continue
            _, parts = self._seen[key.label, day]
            parts = plus(parts, taken.get(key.label, {}).get(day, nothing), -1)
            parts = plus(parts, added[key.label].get(day, nothing))
            self._seen[key.label, day] = self._ends[day], parts
            tally = self._tallies[key]
            with tally.lock:
                if tally.position < self._ends[day]:
                    tally.position, tally.parts = self._seen[key.label, day]
        _tallies.settle(self._keys)

    def by_day(self, label: str) -> ByDay:
        return {
            day: parts for (its, day), (_, parts) in self._seen.items() if its == label
        }


def forget() -> None:
    """Clear the memory of this process."""
    _tallies.forget()
