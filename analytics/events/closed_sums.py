"""Sums over closed days, in the memory of a process.

A sum is valid while no day of its period has changed. Until then the stored counts
of its days need not be read and added up again.
"""

from collections.abc import Hashable, Mapping, Sized
from datetime import date
from functools import cached_property
from typing import Generic, NamedTuple, TypeVar

from analytics.events.cells import ByDay, numbers_by_value
from analytics.events.months import Versions
from analytics.events.ranked import Ranked
from analytics.events.standing import Standing
from analytics.recent import Recent

# Values held in memory for all sites and questions together: about 700 bytes each.
MAX_VALUES = 100_000

Summed = TypeVar("Summed", bound=Sized)


class State(NamedTuple):
    """The state on which the counts of closed days depend."""

    first: date | None
    sealed_before: date
    versions: Versions

    @classmethod
    def of(cls, found: Standing) -> "State":
        return cls(found.first, found.sealed_before, found.versions)


class ClosedDays:
    """The counts of closed days by the values of a label."""

    def __init__(self, days: ByDay) -> None:
        self.days = days

    def __len__(self) -> int:
        return sum(len(parts.groups) for parts in self.days.values())

    @cached_property
    def ranked(self) -> Ranked:
        return Ranked(numbers_by_value(self.days))


class ClosedSum(Generic[Summed]):
    """A sum that one thread may set while others use the one before it."""

    def __init__(self) -> None:
        self._held: tuple[State, Summed] | None = None

    def __len__(self) -> int:
        return len(self._held[1]) if self._held else 0

    @property
    def is_set(self) -> bool:
        return self._held is not None

    def at(self, state: State) -> Summed | None:
        """The sum, if it is valid for this state."""
        held = self._held
        return held[1] if held and held[0] == state else None

    def set(self, state: State, value: Summed) -> None:
        self._held = state, value


_sums: Recent[Hashable, ClosedSum[ClosedDays]] = Recent(
    MAX_VALUES, lambda key: ClosedSum()
)


def recall(keys: Mapping[str, Hashable]) -> dict[str, ClosedSum[ClosedDays]]:
    """The sum of each key."""
    found = _sums.recall(keys.values())
    return {name: found[key] for name, key in keys.items()}


def valid(
    sums: Mapping[str, ClosedSum[ClosedDays]], state: State
) -> dict[str, ClosedDays]:
    """The days of these sums, if all are valid for this state; otherwise none."""
    found = {name: each.at(state) for name, each in sums.items()}
    known = {name: days for name, days in found.items() if days is not None}
    return known if len(known) == len(sums) else {}


def remember(key: Hashable, state: State, value: ClosedDays) -> None:
    _sums.recall([key])[key].set(state, value)
    _sums.settle([key])


def forget() -> None:
    """Clear the memory of this process."""
    _sums.forget()
