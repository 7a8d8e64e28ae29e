"""Counts of closed days by the values of labels, stored by month.

They are of all events of a site, or of the events that a rule matches. Visitors are
stored by the set of values they were seen with, so the counts under any filter by the
label follow exactly. A month is the exact sum of its days, since visitor ids change
daily; its amounts are used if none needs an exchange rate.

Refunds are not stored: a refund has the source of an event of another day, which may
change later. They are few, and are counted for each query. Only the refunds of sealed
days are stored (`goals.counting.labels_ahead`). Later settings do not change the counts
of sealed days.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from django.db.models import Q

from analytics.events import months
from analytics.events.cells import ByDay, DayParts, Group, sum_of
from analytics.events.lookups import one_of_texts
from analytics.events.months import Month, Versions
from analytics.events.standing import Standing, kept_rows
from analytics.events.statements import Compiled, as_day
from analytics.models import LabelMonth, Seal
from analytics.questions.labels import Attribution
from analytics.questions.period_query import unanswerable
from analytics.questions.periods import Days
from krafter.errors import Invalid

# Stands in place of the digest of a rule: all events of the site.
EVERYTHING = b""
# Prefix of the labels of refunds of sealed days.
REFUNDS = "-"
# The counts of sealed days are valid under any settings.
_BORDER = f"(SELECT before FROM {Seal._meta.db_table} WHERE site_id = %s)"  # noqa: S608 - a constant

# Rows in one statement.
_BATCH = 200

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Unkept(Invalid):
    """Some sealed days have no counts by a label. `since`: the first day that has."""

    def __init__(self, since: date) -> None:
        super().__init__({"from": [unanswerable(since)]})
        self.since = since


class Kept(NamedTuple):
    """The counts that are selected. `settings`: the digest of the source settings."""

    site_id: int
    rule: bytes
    attribution: Attribution
    settings: bytes


class _Row(NamedTuple):
    """A stored month. `days` is None if not read yet, `total` if never summed."""

    version: int
    counted: int
    days: bytes | None
    total: bytes | None


class LabelMonths:
    """The stored counts by some labels for a period of closed days.

    With `daily` by single days. Otherwise the sum of a whole month may stand for its
    days, if its amounts are all in the currencies `home`, or if `home` is None.
    """

    def __init__(
        self,
        kept: Kept,
        labels: Iterable[str],
        period: Days,
        *,
        daily: bool,
        home: Collection[str | None] | None,
    ) -> None:
        self._of, self._daily, self._home = kept, daily, home
        self._asked = dict(months.masks(period))
        self._rows: dict[str, dict[date, _Row]] = {label: {} for label in labels}
        # Months whose days were read, with the counts added since.
        self._apart: dict[tuple[str, date], Month] = {}
        self._changed: set[tuple[str, date]] = set()
        self._needed: dict[date, int] = {}
        self._versions = Versions({})
        self.sealed_before = date.min

    def statement(self) -> Compiled:
        """The SQL that selects the stored rows, for `events.standing`."""
        first, *_, last = [*self._asked, *self._asked]
        days = "days"
        if not self._daily:
            # For the months in between their sums are enough.
            days = f"CASE WHEN month IN ('{first}', '{last}') THEN days END"
        sql = kept_rows(
            LabelMonth._meta.db_table,
            day="month",
            numbers=("version", "counted"),
            texts=("label",),
            blobs=(days, "total"),
        )
        some, labels = one_of_texts("label", list(self._rows))
        return (
            f"{sql} WHERE site_id = %s AND rule = %s AND attribution = %s"
            f" AND (settings = %s OR month < {_BORDER})"
            f" AND {some} AND month BETWEEN %s AND %s",
            [
                *(self._of.site_id, self._of.rule, self._of.attribution),
                *(self._of.settings, self._of.site_id, labels),
                *(first.isoformat(), last.isoformat()),
            ],
        )

    def read(self, found: Standing) -> None:
        """Read the stored rows. Raises Unkept if some sealed days have none."""
        self._versions, self.sealed_before = found.versions, found.sealed_before
        for month, version, counted, _, _, label, _, days, total in found.kept:
            row = _Row(version, counted, _bytes(days), _bytes(total))
            self._rows[label][as_day(month)] = row
        if found.first is None:
            return
        # Before the first event there is nothing to count or to store.
        first = found.first
        self._needed = {
            month: mask if month > first else mask & (-1 << first.day - 1)
            for month, mask in self._asked.items()
            if month >= months.month_of(first)
        }
        doubtful = [
            (label, month)
            for label, rows in self._rows.items()
            for month in rows.keys() & self._needed.keys()
            if not self._is_whole(label, month)
        ]
        self._take_apart(doubtful)
        unkept = [
            month
            for label in self._rows
            for month, _ in self._lacking(label)
            if month < self.sealed_before
        ]
        if unkept:
            # Whole months, since sealed days are stored by whole months.
            raise Unkept(months.next_of(max(unkept)))

    def _is_whole(self, label: str, month: date) -> bool:
        """Whether the sum of a month can stand for its selected days."""
        row, mask = self._rows[label][month], self._needed[month]
        return (
            not self._daily
            and row.total is not None
            and row.version == self._versions.of_month(month)
            and row.counted == mask
        )

    def _take_apart(self, which: Collection[tuple[str, date]]) -> None:
        """Read the single days of these stored months."""
        unread = [each for each in which if self._rows[each[0]][each[1]].days is None]
        if unread:
            sealed = Q(month__lt=self.sealed_before)
            rows = LabelMonth.objects.filter(
                sealed | Q(settings=self._of.settings),
                site_id=self._of.site_id,
                rule=self._of.rule,
                attribution=self._of.attribution,
                label__in={label for label, _ in unread},
                month__in={month for _, month in unread},
            )
            for row in rows:
                self._rows[row.label][row.month] = _Row(
                    row.version, row.counted, bytes(row.days), _bytes(row.total)
                )
        for label, month in which:
            version, counted, days, _ = self._rows[label][month]
            self._apart[label, month] = (
                # Replaced meanwhile by counts under other settings.
                Month()
                if days is None
                else months.unpack(month, version, counted, days, self._versions)
            )

    @property
    def missing(self) -> list[date]:
        """The days that at least one of the labels lacks."""
        found: dict[date, int] = {}
        for label in self._rows:
            for month, mask in self._lacking(label):
                found[month] = found.get(month, 0) | mask
        return [
            month.replace(day=number)
            for month, mask in found.items()
            for number in months.numbers(mask)
        ]

    def lacking(self, stretch: Days) -> list[str]:
        """The labels that lack at least one of these days."""
        masks = dict(months.masks(stretch))
        return [
            label
            for label in self._rows
            if any(mask & masks.get(month, 0) for month, mask in self._lacking(label))
        ]

    def _lacking(self, label: str) -> Iterator[tuple[date, int]]:
        for month, mask in self._needed.items():
            if (label, month) in self._apart:
                lacks = mask & ~self._apart[label, month].counted
            else:
                lacks = 0 if month in self._rows[label] else mask
            if lacks:
                yield month, lacks

    def add(self, stretch: Days, counted: Mapping[str, ByDay]) -> None:
        """Add new counts of days that were missing."""
        masks = dict(months.masks(stretch))
        for label, by_day in counted.items():
            for month, lacks in list(self._lacking(label)):
                if lacking := lacks & masks.get(month, 0):
                    apart = self._apart.get((label, month), Month())
                    self._apart[label, month] = months.added(
                        month, apart, lacking, self._versions, by_day, _packed
                    )
                    self._changed.add((label, month))

    def changed(self) -> list[LabelMonth]:
        """The rows to store, of the months with counts that were added since."""
        rows = [self._row(label, month) for label, month in self._changed]
        self._changed.clear()
        return rows

    def _row(self, label: str, month: date) -> LabelMonth:
        counted, days = self._apart[label, month]
        return LabelMonth(
            **self._of._asdict(),
            label=label,
            month=month,
            version=self._versions.of_month(month),
            counted=counted,
            days=months.pack(days),
            total=_encode(_packed(_sum(days))),
        )

    def by_day(self, label: str) -> ByDay:
        """The counts by day, of whole months under their first day.

        Days without any are left out. Call it when no day is missing.
        """
        found: ByDay = {}
        rows = self._rows[label]
        for month in self._needed.keys() & rows.keys():
            if (label, month) not in self._apart:
                total = _unpacked(*_decode(rows[month].total or b""))
                if self._home is None or _codes(total) <= set(self._home):
                    found[month] = total
                else:
                    self._take_apart([(label, month)])
        for month, mask in self._needed.items():
            for number, (_, *numbers) in self._apart.get(
                (label, month), Month()
            ).days.items():
                if mask >> number - 1 & 1:
                    found[month.replace(day=number)] = _unpacked(*numbers)
        return found

    def refunds(self, label: str) -> ByDay:
        """The refunds of the selected sealed days. Call it after `read`."""
        sealed = [month for month in self._asked if month < self.sealed_before]
        rows = LabelMonth.objects.filter(
            site_id=self._of.site_id,
            rule=self._of.rule,
            attribution=self._of.attribution,
            label=REFUNDS + label,
            month__in=sealed,
        )
        return {
            month.replace(day=number): _unpacked(*numbers)
            for month, days in rows.values_list("month", "days")
            if sealed
            for number, (_, *numbers) in months.all_days(bytes(days)).items()
            if self._asked[month] >> number - 1 & 1
        }


def refund_rows(kept: Kept, label: str, refunds: ByDay) -> list[LabelMonth]:
    """The rows that `LabelMonths.refunds` reads."""
    by_month: dict[date, months.DaysOfMonth] = {}
    for day, parts in refunds.items():
        of_month = by_month.setdefault(months.month_of(day), {})
        of_month[day.day] = [0, *_packed(parts)]
    return [
        LabelMonth(
            **kept._asdict(),
            label=REFUNDS + label,
            month=month,
            version=0,
            counted=0,
            days=months.pack(days),
        )
        for month, days in by_month.items()
    ]


def keep(rows: Iterable[LabelMonth], *, sealed_before: date) -> None:
    """Store rows of unsealed months. Call it within `seals.keeping`."""
    LabelMonth.objects.bulk_create(
        # In a fixed order, so that two writers cannot deadlock.
        sorted(
            (row for row in rows if row.month >= sealed_before),
            key=lambda row: (row.rule, row.attribution, row.label, row.month),
        ),
        batch_size=_BATCH,
        update_conflicts=True,
        unique_fields=["site", "rule", "attribution", "label", "month"],
        update_fields=["settings", "version", "counted", "days", "total"],
    )


def days_of(row: LabelMonth, versions: Versions) -> dict[date, DayParts]:
    """The counts of a row by day: each counted and valid day, empty or not."""
    counted, days = months.unpack(
        row.month, row.version, row.counted, bytes(row.days), versions
    )
    return {
        row.month.replace(day=number): (
            _unpacked(*days[number][1:]) if number in days else DayParts({}, {})
        )
        for number in months.numbers(counted)
    }


def has_right_sum(row: LabelMonth) -> bool:
    """Whether the sum of a row equals the sum of its days. No sum is right too."""
    days = months.all_days(bytes(row.days))
    return row.total is None or _unpacked(*_decode(bytes(row.total))) == _sum(days)


def _sum(days: months.DaysOfMonth) -> DayParts:
    return sum_of(_unpacked(*numbers) for _, *numbers in days.values())


def _codes(day: DayParts) -> set[str | None]:
    return {code for group in day.groups.values() for code in group.amounts}


def _bytes(column: Any) -> bytes | None:
    return None if column is None else bytes(column)


def _packed(day: DayParts | None) -> list[Any]:
    """The groups with the visitors seen with one value, and the others by values."""
    if day is None:
        return [{}, []]
    groups = {}
    for value, (times, pageviews, amounts) in day.groups.items():
        alone = day.visitors.get(frozenset((value,)), 0)
        texts = {code or "": str(amount) for code, amount in amounts.items()}
        groups[value] = [times, pageviews, alone, *([texts] if texts else [])]
    return [
        groups,
        [[sorted(seen), n] for seen, n in day.visitors.items() if len(seen) > 1],
    ]


def _unpacked(groups: dict[str, list[Any]], several: list[Any]) -> DayParts:
    visitors = {frozenset(seen): number for seen, number in several}
    found = {}
    for value, (times, pageviews, alone, *texts) in groups.items():
        sums = texts[0] if texts else {}
        amounts = {code or None: Decimal(text) for code, text in sums.items()}
        found[value] = Group(times, pageviews, amounts)
        if alone:
            visitors[frozenset((value,))] = alone
    return DayParts(found, visitors)
