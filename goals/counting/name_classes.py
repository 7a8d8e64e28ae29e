"""Names by the rules that match them, for many rules that match many names. Pure.

A thousand rules that match most of 20,000 names are 20 million pairs. Names that the
same rules match are one class: events are counted by class, and a number with a bit
for each rule tells which rules a class concerns.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

from goals.counting.id_sets import IdSet

# Sets whose digits are in memory at once, a byte for each id.
_AT_ONCE = 100


# Ids by a number with a bit for each set that has them.
Classes = dict[int, list[int]]


def classes(sets: Sequence[IdSet], ids: Sequence[int]) -> Classes:
    """Those of some ascending ids that are in at least one of the sets."""
    masks = [0] * len(ids)
    for start in range(0, len(sets), _AT_ONCE):
        # The last set first, as the digits of a number.
        rows = [some.digits(ids) for some in sets[start : start + _AT_ONCE][::-1]]
        for number, digits in enumerate(zip(*rows, strict=True)):
            masks[number] |= int(bytes(digits), 2) << start
    found: Classes = {}
    for id, mask in zip(ids, masks, strict=True):
        if mask:
            found.setdefault(mask, []).append(id)
    return found


def union(masks: Iterable[int]) -> int:
    return reduce(or_, masks, 0)


class BitCounts:
    """How often each bit was set in the numbers that were added.

    All bits are counted at once: the first of the planes has the lowest digit of each
    count, the next one the second, and so on. A thousand rules take as long as ten.
    """

    def __init__(self) -> None:
        self._seen = 0
        # The planes of added and of subtracted counts.
        self._planes: tuple[list[int], list[int]] = ([], [])

    def add(self, mask: int, times: int = 1) -> None:
        self._seen |= mask
        planes, left, place = self._planes[times < 0], abs(times), 0
        while left:
            if left & 1:
                _carry(planes, mask, place)
            left >>= 1
            place += 1

    def counts(self) -> dict[int, int]:
        """The count of each bit that was set, by its place."""
        number = self._seen.bit_length()
        added, taken = (_read(planes, number) for planes in self._planes)
        seen = f"{self._seen:b}"[::-1]
        return {
            place: added[place] - taken[place]
            for place, digit in enumerate(seen)
            if digit == "1"
        }


def _carry(planes: list[int], mask: int, place: int) -> None:
    while mask:
        planes.extend([0] * (place + 1 - len(planes)))
        planes[place], mask = planes[place] ^ mask, planes[place] & mask
        place += 1


def _read(planes: Sequence[int], number: int) -> list[int]:
    if not planes:
        return [0] * number
    texts = [f"{plane:0{number}b}"[::-1] for plane in reversed(planes)]
    return [int("".join(digits), 2) for digits in zip(*texts, strict=True)]
