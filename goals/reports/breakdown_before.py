"""The values of the earlier period that a breakdown is compared with."""

from collections.abc import Iterator

from msgspec import UNSET

from analytics.questions.differences import told
from goals.reports import rate
from goals.reports.breakdown_answers import BreakdownRow, ComparedRow, Value
from goals.reports.breakdown_values import Key, Values, by_value
from krafter.errors import Invalid

# At most this many values of the earlier period are held in memory.
_MAX_COMPARED = 100_000


class Before:
    """All values of the earlier period with their counts.

    Raises Invalid if there are more than `_MAX_COMPARED`.
    """

    def __init__(self, values: Values) -> None:
        self._rows: dict[Key, BreakdownRow] = {}
        for row in values.rows(with_all_visitors=True):
            self._rows[by_value(row)] = row
            if len(self._rows) > _MAX_COMPARED:
                raise Invalid({"compare": [_TOO_MANY]})
        self.sums = values.sums
        self._nothing = values.nothing

    def values(self, with_all_visitors: bool) -> Iterator[Value]:
        """Yield the values that need a row, even without counts in this period."""
        for row in self._rows.values():
            if with_all_visitors or row.conversions or row.revenue:
                yield row.value

    def compare(self, row: BreakdownRow) -> BreakdownRow:
        """Add the earlier counts of the row's value to the row, and return it."""
        past = self._rows.get(by_value(row), self._nothing)
        found = ComparedRow(
            past.conversions,
            past.unique_conversions,
            past.revenue,
            *told(row.unique_conversions, past.unique_conversions),
        )
        if row.visitors is not UNSET and past.visitors is not UNSET:
            found.visitors, found.rate = past.visitors, past.rate
            found.rate_difference, found.rate_verdict = rate.told(
                rate.rate(row.unique_conversions, row.visitors),
                rate.rate(past.unique_conversions, past.visitors),
            )
        row.comparison = found
        return row


_TOO_MANY = (
    f"The dimension had more than {_MAX_COMPARED} values then: choose a shorter"
    " period, or a filter."
)
