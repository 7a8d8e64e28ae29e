"""The values of one dimension in one period, with their counts."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from analytics import events
from analytics.events import BreakdownRow as Part
from analytics.events import Counts
from goals.models import Goal
from goals.money import conversion, rates
from goals.reports import rate
from goals.reports.breakdown_answers import BreakdownRow, Sums, Value
from krafter.errors import Invalid

# A sort key that distinguishes 1, "1" and true.
Key = tuple[int, Any]


class Found(NamedTuple):
    """The counts of each value.

    `amounts` returns the sums over all values. `visitors`: the number of the site's
    visitors by the key of each value; None if they were not counted.
    """

    parts: Iterable[Part]
    amounts: Callable[[], conversion.Sums]
    visitors: Mapping[Key, int] | None = None

    @classmethod
    def of_label(cls, own: events.ByDay, everybody: events.ByDay) -> "Found":
        parts = events.label_rows(own)
        visitors = events.visitors_by_value(everybody)
        by_key = {key_of(value): number for value, number in visitors.items()}
        return cls(parts, partial(_summed, parts), by_key)


def visitors_of(selection: events.Selection, dimension: str) -> dict[Key, int]:
    """Return the number of visitors by the key of each value of an event field.

    Raises Invalid if there are more than `_MAX_VALUES` values.
    """
    found: dict[Key, int] = {}
    for value, number in events.visitors_by_own_value(selection, dimension):
        key = key_of(value)
        found[key] = found.get(key, 0) + number
        if len(found) > _MAX_VALUES:
            raise Invalid({"include": [_TOO_MANY]})
    return found


_MAX_VALUES = 100_000
_TOO_MANY = (
    f"The dimension has more than {_MAX_VALUES} values: choose a shorter period, or a"
    " filter."
)


class Values:
    """The rows of the values found.

    `number` and `sums` are complete after the last row was read.
    """

    def __init__(self, goal: Goal, found: Found) -> None:
        self._currency = goal.currency
        self._found = found
        self.number = 0
        self.sums = Sums(0, None)

    def rows(
        self, also: Iterable[Value] = (), *, with_all_visitors: bool = False
    ) -> Iterator[BreakdownRow]:
        """Yield a row for every value; for other values in `also`, a row of zeros.

        `with_all_visitors`: also values with visitors but no conversion.
        """
        parts, _, visitors = self._found
        if with_all_visitors and visitors is not None:
            also = [*also, *(_value_of(key) for key in visitors)]
        self.sums.revenue, priced = self._priced(_completed(parts, also))
        for part, worth in priced:
            self.number += 1
            self.sums.conversions += part.counts.conversions
            yield _row(part, worth, visitors)

    @property
    def nothing(self) -> BreakdownRow:
        """A row of zeros, for a value without counts."""
        worth = Decimal() if self._currency else None
        visitors: dict[Key, int] | None = None
        if self._found.visitors is not None:
            visitors = {}
        return _row(Part(None, Counts(0, 0), {}), worth, visitors)

    def _priced(
        self, parts: Iterable[Part]
    ) -> tuple[Decimal | None, Iterator[tuple[Part, Decimal | None]]]:
        """Return the total revenue, and each part with its revenue.

        The parts add up exactly to the total. Both are None if the goal has no
        currency.
        """
        currency = self._currency
        if currency is None:
            return None, ((part, None) for part in parts)
        everything = self._found.amounts()
        per_euro = rates.needed(everything, currency).per_euro
        total = conversion.total(everything, currency, per_euro)
        if {code for _, code in everything} <= {None, currency}:
            # Nothing is rounded, so each part can be priced by itself.
            worth = partial(conversion.total, currency=currency, per_euro=per_euro)
            return total, ((part, worth(part.sums)) for part in parts)
        held = sorted(parts, key=by_value)
        shares = conversion.shares([p.sums for p in held], currency, per_euro)
        return total, zip(held, shares, strict=True)


def _summed(parts: Iterable[Part]) -> conversion.Sums:
    amounts: defaultdict[tuple[date, str | None], Decimal] = defaultdict(Decimal)
    for part in parts:
        for at, amount in part.sums.items():
            amounts[at] += amount
    return amounts


def _completed(parts: Iterable[Part], also: Iterable[Value]) -> Iterator[Part]:
    left = {key_of(value): value for value in also}
    for part in parts:
        left.pop(by_value(part), None)
        yield part
    for value in left.values():
        yield Part(value, Counts(0, 0), {})


def _row(
    part: Part, worth: Decimal | None, visitors: Mapping[Key, int] | None
) -> BreakdownRow:
    row = BreakdownRow(part.value, *part.counts, worth)
    if visitors is not None:
        row.visitors = visitors.get(by_value(part), 0)
        found = rate.rate(part.counts.uniques, row.visitors)
        row.rate = found and found.rate
        row.interval = found and found.interval
        row.too_few_to_compare = rate.is_too_few_to_compare(row.visitors)
    return row


def by_value(row: BreakdownRow | Part) -> Key:
    return key_of(row.value)


def key_of(value: Value) -> Key:
    """Return a sort key. Order: texts, numbers, false, true, the unknown value."""
    match value:
        case None:
            return 3, 0
        case bool():
            return 2, value
        case str():
            return 0, value
        case _:
            return 1, value


def _value_of(key: Key) -> Value:
    """Return the value of a key."""
    rank, value = key
    return None if rank == key_of(None)[0] else value
