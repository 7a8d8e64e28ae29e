"""Values sorted by visitors, most first, with those of open days added. Pure."""

from collections.abc import Collection, Mapping
from heapq import nlargest
from itertools import islice
from typing import NamedTuple


class SiteBreakdownRow(NamedTuple):
    """The traffic with one value, None if it is unknown."""

    value: str | None
    pageviews: int
    visitors: int


class SiteBreakdown(NamedTuple):
    """The first rows, the number of all values, and the page views of all values."""

    rows: list[SiteBreakdownRow]
    values: int
    pageviews: int


# The page views and the visitors of values.
Numbers = Mapping[str | None, tuple[int, int]]


class Ranked:
    """Values that are sorted only once, even if others are added repeatedly."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._pageviews = sum(pageviews for pageviews, _ in numbers.values())
        self._values = [row.value for row in _sorted(numbers, numbers, {})]

    def __len__(self) -> int:
        return len(self._numbers)

    def first(
        self,
        more: Numbers,
        *,
        limit: int | None,
        among: Collection[str | None] | None = None,
    ) -> SiteBreakdown:
        """The values with the most visitors, including `more`; all or only `among`."""
        if among is not None:
            known = {v for v in among if v in self._numbers or v in more}
            found = _sorted(known, self._numbers, more)
            views = sum(row.pageviews for row in found)
            return SiteBreakdown(found[:limit], len(found), views)
        # Values without additions keep their order.
        unchanged = (value for value in self._values if value not in more)
        return SiteBreakdown(
            _sorted([*islice(unchanged, limit), *more], self._numbers, more, limit),
            len(self._numbers) + sum(value not in self._numbers for value in more),
            self._pageviews + sum(pageviews for pageviews, _ in more.values()),
        )


def _sorted(
    values: Collection[str | None],
    numbers: Numbers,
    more: Numbers,
    limit: int | None = None,
) -> list[SiteBreakdownRow]:
    visitors = {
        value: numbers.get(value, _NONE)[1] + more.get(value, _NONE)[1]
        for value in values
    }
    if limit is not None and limit < len(visitors):
        # A day may have many values: only those that can be shown become rows.
        least = min(nlargest(limit, visitors.values()), default=0)
        values = [value for value in values if visitors[value] >= least]
    rows = [
        SiteBreakdownRow(
            value,
            numbers.get(value, _NONE)[0] + more.get(value, _NONE)[0],
            visitors[value],
        )
        for value in values
    ]
    # Equal ones by code point, the unknown one last.
    rows.sort(key=lambda row: (-row.visitors, row.value is None, row.value or ""))
    return rows[:limit]


_NONE = (0, 0)
