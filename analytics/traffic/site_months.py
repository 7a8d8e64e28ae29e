"""The traffic of a site on closed days, stored by month as SiteMonth.

A day may have only its visitors stored, which are faster to count than visits.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from analytics.events import Standing, Traffic, kept_rows, months
from analytics.events.months import Month, Versions
from analytics.events.statements import Compiled, as_day
from analytics.models import KeptMonth, SiteMonth
from analytics.questions.periods import Days

# What is kept of a day: its version, then these.
_VISITORS, _TRAFFIC = 1, 3


class SiteMonths:
    """The stored traffic of a site for a period of closed days."""

    model: type[KeptMonth] = SiteMonth

    def __init__(self, site_id: int, period: Days) -> None:
        self.site_id = site_id
        self._asked = dict(months.masks(period))
        self._kept: dict[date, Month] = {}
        self._versions = Versions({})
        self._sealed_before = date.min

    def statement(self) -> Compiled:
        """Return the statement that reads its rows, for `events.standing`."""
        sql = kept_rows(
            self.model._meta.db_table,
            day="month",
            numbers=("version", "counted"),
            blobs=("days",),
        )
        ends = [min(self._asked).isoformat(), max(self._asked).isoformat()]
        return f"{sql} WHERE site_id = %s AND month BETWEEN %s AND %s", [
            self.site_id,
            *ends,
        ]

    def read(self, standing: Standing, *, visits: bool) -> list[date]:
        """Read the stored rows; return the days that lack visitors or visits."""
        self._versions = standing.versions
        self._sealed_before = standing.sealed_before
        for month, version, counted, _, _, _, _, days, _ in standing.kept:
            month = as_day(month)
            self._kept[month] = months.unpack(
                month, version, counted, bytes(days), self._versions
            )
        if standing.first is None:
            self._asked = {}
        return [
            day
            for month, mask in self._asked.items()
            for number in months.numbers(mask)
            if (day := month.replace(day=number)) >= (standing.first or day)
            # What was not kept of a sealed day nobody can count any more.
            and day >= self._sealed_before
            and not self._has(month, number, _TRAFFIC if visits else _VISITORS)
        ]

    def _has(self, month: date, number: int, length: int) -> bool:
        counted, days = self._kept.get(month, Month())
        if not counted >> number - 1 & 1:
            return False
        return number not in days or len(days[number]) > length

    def add(self, stretch: Days, counted: Mapping[date, list[int]]) -> list[KeptMonth]:
        """Add counts and return the rows to store.

        `counted`: the visitors, or the traffic, of each day with events.
        """
        rows: list[KeptMonth] = []
        for month, mask in months.masks(stretch):
            kept = self._kept.get(month, Month())
            self._kept[month] = kept = months.added(
                month, kept, mask, self._versions, counted, _numbers
            )
            rows.append(
                self.model(
                    site_id=self.site_id,
                    month=month,
                    version=self._versions.of_month(month),
                    counted=kept.counted,
                    days=months.pack(kept.days),
                )
            )
        return rows

    def keep(self, rows: Iterable[KeptMonth], *, sealed_before: date) -> None:
        """Store them, within `seals.keeping`, which knows the sealed days."""
        self.model._default_manager.bulk_create(
            (row for row in rows if row.month >= sealed_before),
            update_conflicts=True,
            unique_fields=["site", "month"],
            update_fields=["version", "counted", "days"],
        )

    def traffic(self) -> dict[date, Traffic]:
        """Return the traffic of the days with events. No day may lack it."""
        return {day: Traffic(*numbers) for day, numbers in self._days()}

    def visitors(self) -> int:
        """Return the visitors of all days. No day may lack them."""
        return sum(numbers[len(numbers) // 2] for _, numbers in self._days())

    def _days(self) -> list[tuple[date, list[Any]]]:
        return [
            (month.replace(day=number), numbers)
            for month, mask in self._asked.items()
            for number, (_, *numbers) in sorted(
                self._kept.get(month, Month()).days.items()
            )
            if mask >> number - 1 & 1
        ]


def as_stored(counted: Traffic, stored: Sequence[int]) -> list[int]:
    """Return a day's traffic in the form of its stored numbers, to compare both."""
    return [counted.visitors] if len(stored) == 1 else [*counted]


def _numbers(counted: list[int] | None) -> list[int]:
    return [0] * _TRAFFIC if counted is None else counted
