"""Values by their visitors, most first, to which those of open days are added. Pure."""

from collections.abc import Collection, Mapping
from typing import NamedTuple


class SiteBreakdownRow(NamedTuple):
    """What of the traffic has one value, None where it is not known."""

    value: str | None
    pageviews: int
    visitors: int


class SiteBreakdown(NamedTuple):
    """The first rows; how many values there are, and the page views of them all."""

    rows: list[SiteBreakdownRow]
    values: int
    pageviews: int


# The page views and the visitors of values.
Numbers = Mapping[str | None, tuple[int, int]]


class Ranked:
    """Values that are sorted once, however often others are added to them."""

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
        """The values with the most visitors, with `more`; of all or `among` some."""
        if among is not None:
            known = {v for v in among if v in self._numbers or v in more}
            found = _sorted(known, self._numbers, more)
            views = sum(row.pageviews for row in found)
            return SiteBreakdown(found[:limit], len(found), views)
        # A value without more is overtaken by at most all those that have more.
        end = None if limit is None else limit + len(more)
        rows = _sorted({*self._values[:end], *more}, self._numbers, more)
        return SiteBreakdown(
            rows[:limit],
            len(self._numbers) + sum(value not in self._numbers for value in more),
            self._pageviews + sum(pageviews for pageviews, _ in more.values()),
        )


def _sorted(
    values: Collection[str | None], numbers: Numbers, more: Numbers
) -> list[SiteBreakdownRow]:
    rows = []
    for value in values:
        (views, visitors), added = numbers.get(value, _NONE), more.get(value, _NONE)
        rows.append(SiteBreakdownRow(value, views + added[0], visitors + added[1]))
    # Equal ones in the order of their characters, the unknown one last.
    rows.sort(key=lambda row: (-row.visitors, row.value is None, row.value or ""))
    return rows


_NONE = (0, 0)
