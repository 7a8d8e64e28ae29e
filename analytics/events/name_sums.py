"""The names of closed days with their sums, to which those of open days are added.

Pure.
"""

from collections.abc import Collection, Mapping

# The events and the visitors of names, by the ids of the names.
Numbers = Mapping[int, tuple[int, int]]
# Which of them a list is sorted by.
_PLACES = {"-events": 0, "-visitors": 1}


class NameSums:
    """Names that are sorted once for each order, however often others are added."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._ranked: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def first(
        self,
        more: Numbers,
        order: str,
        *,
        without: Collection[int],
        after: tuple[int, int] | None,
        limit: int,
    ) -> dict[int, tuple[int, int]]:
        """The first names with `more`, in this order, after a number and its id."""
        at = _PLACES[order]
        last = (-after[0], after[1]) if after else None
        found = list[tuple[int, int]]()
        for name in self._in_order(order):
            place = (-self._numbers[name][at], name)
            if name not in more and name not in without and (not last or place > last):
                found.append(place)
                if len(found) == limit:
                    break
        for name in more:
            place = (-self._with(more, name)[at], name)
            if name not in without and (not last or place > last):
                found.append(place)
        found.sort()
        return {name: self._with(more, name) for _, name in found[:limit]}

    def _in_order(self, order: str) -> list[int]:
        if order not in self._ranked:
            at = _PLACES[order]
            self._ranked[order] = sorted(
                self._numbers, key=lambda name: (-self._numbers[name][at], name)
            )
        return self._ranked[order]

    def _with(self, more: Numbers, name: int) -> tuple[int, int]:
        events, visitors = self._numbers.get(name, _NONE)
        added = more.get(name, _NONE)
        return events + added[0], visitors + added[1]


_NONE = (0, 0)
