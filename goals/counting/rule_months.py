"""The counts of rules on closed days, stored by month as GoalMonth.

Unique visitors are counted per day, so a month's count is the exact sum of its days.
Amounts are summed by currency, and also stored by day: each day has its own exchange
rate, which may be loaded later.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from django.db import connection

from analytics import events
from analytics.events import Counts, Selection, Standing, months
from analytics.events.months import DaysOfMonth, Month, Versions
from analytics.events.statements import Compiled, as_day
from analytics.questions.periods import Days
from goals.counting.matched_names import Names
from goals.counting.name_classes import BitCounts, Classes, union
from goals.counting.sent_names import SentNames
from goals.matching import Rule
from goals.models import GoalMonth

# Up to this many rules, the days of every month are read at once.
_FEW_RULES = 50
# The position of the conversions in the numbers of a stored day, after its version.
_CONVERSIONS = 1


class DayCount(NamedTuple):
    """The counts of a day.

    `amounts`: exact sums by currency, net of refunds; None for no currency.
    """

    counts: Counts
    amounts: Mapping[str | None, Decimal]


NOTHING = DayCount(Counts(0, 0), {})

# The counts of a rule by day; a day without any may be missing.
ByDay = dict[date, DayCount]
# The conversions of a rule on each day that had any.
Course = dict[date, int]


class _Row(NamedTuple):
    """A stored month. `days` is None while it has not been read."""

    version: int
    counted: int
    counts: Counts
    amounts: dict[str | None, Decimal]
    days: bytes | None


class RuleMonths:
    """The stored counts of some rules for a period of closed days."""

    def __init__(
        self,
        site_id: int,
        rules: Iterable[Rule],
        period: Days,
        *,
        with_courses: bool = False,
    ) -> None:
        self.site_id = site_id
        self._with_courses = with_courses
        self._rules = {rule.digest: rule for rule in rules}
        self._asked = dict(months.masks(period))
        self._rows: dict[Rule, dict[date, _Row]] = {r: {} for r in self._rules.values()}
        # Months whose days were read, with the counts added since.
        self._apart: dict[tuple[Rule, date], Month] = {}
        self._needed: dict[date, int] = {}
        self._versions = Versions({})
        self._sealed_before = date.min
        # For rules without counts of some sealed days: the first day that has counts.
        self.since: dict[Rule, date] = {}

    def statement(self) -> Compiled:
        """The SQL that selects the stored rows, for `events.standing`."""
        first, *_, last = [*self._asked, *self._asked]
        if len(self._rules) <= _FEW_RULES or self._with_courses:
            days = "days"
        else:
            # For the months in between their sums are enough.
            days = f"CASE WHEN month IN ('{first}', '{last}') THEN days END"
        sql = events.kept_rows(
            GoalMonth._meta.db_table,
            day="month",
            numbers=("version", "counted", "conversions", "uniques"),
            texts=("CAST(amounts AS text)",),
            blobs=("rule", days),
        )
        digests: list[Any] = list(self._rules)
        if connection.vendor == "postgresql":
            some, digests = "= ANY(%s)", [digests]
        else:
            some = f"IN ({', '.join(['%s'] * len(digests))})"
        return (
            f"{sql} WHERE site_id = %s AND rule {some} AND month BETWEEN %s AND %s",
            [self.site_id, *digests, first.isoformat(), last.isoformat()],
        )

    def read(self, standing: Standing) -> list[date]:
        """Read the stored rows, and return the days that some rules lack.

        Sealed days are not among them: see `since`.
        """
        self._versions = standing.versions
        self._sealed_before = standing.sealed_before
        for (
            month,
            version,
            counted,
            conversions,
            uniques,
            amounts,
            _,
            digest,
            days,
        ) in standing.kept:
            self._rows[self._rules[bytes(digest)]][as_day(month)] = _Row(
                version,
                counted,
                Counts(conversions, uniques),
                _sums(msgspec.json.decode(amounts)) if amounts else {},
                None if days is None else bytes(days),
            )
        if standing.first is None:
            return []
        # Before the first event there is nothing to count or to store.
        first = months.month_of(standing.first)
        self._needed = {
            month: mask if month > first else mask & (-1 << standing.first.day - 1)
            for month, mask in self._asked.items()
            if month >= first
        }
        doubtful = [
            (rule, month)
            for rule, rows in self._rows.items()
            for month, mask in self._needed.items()
            if month in rows and not self._is_whole(rows[month], month, mask)
        ]
        self._take_apart(doubtful)
        self._look_at_sealed()
        missing: dict[date, int] = defaultdict(int)
        for rule in self._rows:
            for month, mask in self._missing(rule):
                missing[month] |= mask
        return [
            month.replace(day=number)
            for month, mask in missing.items()
            for number in months.numbers(mask)
        ]

    def _look_at_sealed(self) -> None:
        """Leave out sealed days, which can no longer be counted."""
        sealed = [m for m in sorted(self._needed) if m < self._sealed_before]
        for rule in self._rows:
            lacks = {month for month, _ in self._lacking(rule)}.intersection(sealed)
            if lacks:
                # Whole months, since sealed days are stored by whole months.
                self.since[rule] = months.next_of(max(lacks))

    def _is_whole(self, row: _Row, month: date, mask: int) -> bool:
        is_valid = row.version == self._versions.of_month(month)
        return is_valid and not mask & ~row.counted

    def _missing(self, rule: Rule) -> Iterator[tuple[date, int]]:
        """By month, the days that the rule lacks and that can still be counted."""
        for month, lacks in self._lacking(rule):
            if month >= self._sealed_before:
                yield month, lacks

    def _lacking(self, rule: Rule) -> Iterator[tuple[date, int]]:
        """By month, the days that the rule lacks."""
        for month, mask in self._needed.items():
            apart = self._apart.get((rule, month))
            if apart is not None:
                lacks = mask & ~apart.counted
            else:
                lacks = 0 if month in self._rows[rule] else mask
            if lacks:
                yield month, lacks

    def _take_apart(self, which: Collection[tuple[Rule, date]]) -> None:
        """Read the single days of these stored months."""
        which = [each for each in which if each not in self._apart]
        unread = {rule for rule, month in which if self._rows[rule][month].days is None}
        found: dict[tuple[bytes, date], bytes] = {}
        if unread:
            rows = GoalMonth.objects.filter(
                site_id=self.site_id,
                rule__in=[rule.digest for rule in unread],
                month__range=(min(self._asked), max(self._asked)),
            )
            for digest, month, version, packed in rows.values_list(
                "rule", "month", "version", "days"
            ):
                row = self._rows[self._rules[bytes(digest)]].get(month)
                if row is not None and row.version == version:
                    found[bytes(digest), month] = bytes(packed)
        for rule, month in which:
            row = self._rows[rule][month]
            days = row.days or found.get((rule.digest, month))
            # Another process stored it again, under a newer version.
            apart = (
                Month()
                if days is None
                else months.unpack(
                    month, row.version, row.counted, days, self._versions
                )
            )
            self._apart[rule, month] = apart

    def lacking(self, stretch: Days) -> list[Rule]:
        """The rules that lack at least one of these days."""
        masks = dict(months.masks(stretch))
        return [
            rule
            for rule in self._rows
            if any(mask & masks.get(month, 0) for month, mask in self._missing(rule))
        ]

    def add(self, stretch: Days, counted: Mapping[Rule, ByDay]) -> list[GoalMonth]:
        """Add new counts of days that were missing, and return the rows to store."""
        rows = []
        for rule, by_day in counted.items():
            for month, mask in months.masks(stretch):
                mask &= self._needed.get(month, 0)
                apart = self._apart.get((rule, month), Month())
                lacking = mask & ~apart.counted
                self._apart[rule, month] = months.added(
                    month, apart, lacking, self._versions, by_day, _packed
                )
                rows.append(self._row(rule, month))
        return rows

    def _row(self, rule: Rule, month: date) -> GoalMonth:
        counted, days = self._apart[rule, month]
        total = _total(_unpacked(numbers) for _, *numbers in days.values())
        return GoalMonth(
            site_id=self.site_id,
            rule=rule.digest,
            month=month,
            version=self._versions.of_month(month),
            counted=counted,
            days=months.pack(days),
            conversions=total.counts.conversions,
            uniques=total.counts.uniques,
            amounts=_texts(total.amounts),
        )

    def by_day(self, rule: Rule) -> ByDay:
        """The counts of the rule by day; days without any are left out."""
        if any((rule, month) not in self._apart for month in self._of_period(rule)):
            # Read all rules with one query: the other rules are queried next.
            self._take_apart(
                [(each, m) for each in self._rows for m in self._of_period(each)]
            )
        since = self.since.get(rule, date.min)
        return {
            day: _unpacked(numbers)
            for month, mask in self._needed.items()
            if month >= since
            for day, numbers in self._days(rule, month, mask)
        }

    def courses(self) -> dict[Rule, Course]:
        """The conversions by day of each rule, in a tenth of the time of `by_day`."""
        found: dict[Rule, Course] = {rule: {} for rule in self._rows}
        for month, mask in self._needed.items():
            dates = {n: month.replace(day=n) for n in months.numbers(mask)}
            for rule, course in found.items():
                if month < self.since.get(rule, date.min):
                    continue
                for number, counts in self._counts(rule, month).items():
                    if number in dates and counts[_CONVERSIONS]:
                        course[dates[number]] = counts[_CONVERSIONS]
        return found

    def _counts(self, rule: Rule, month: date) -> DaysOfMonth:
        """The days of a month: it is valid as a whole unless it was read apart."""
        apart, row = self._apart.get((rule, month)), self._rows[rule].get(month)
        if apart is not None:
            return apart.days
        return months.all_days(row.days or b"") if row else {}

    def _of_period(self, rule: Rule) -> list[date]:
        """The requested stored months of a rule."""
        return [month for month in self._rows[rule] if month in self._needed]

    def _days(
        self, rule: Rule, month: date, mask: int
    ) -> Iterator[tuple[date, list[Any]]]:
        apart = self._apart.get((rule, month), Month())
        for number, (_, *numbers) in apart.days.items():
            if mask >> number - 1 & 1:
                yield month.replace(day=number), numbers

    def by_part(self, rule: Rule, home: Collection[str | None]) -> ByDay:
        """The same summed by month, under the first day of each month.

        Amounts in currencies that are not in `home` stay by day.
        """
        found: ByDay = {}
        rows = self._rows[rule]
        since = self.since.get(rule, date.min)
        for month, mask in self._needed.items():
            if month < since:
                continue
            row = rows.get(month)
            if (rule, month) not in self._apart and row is not None:
                if not row.counted & ~mask and row.amounts.keys() <= set(home):
                    found[month] = DayCount(row.counts, row.amounts)
                    continue
                self._take_apart([(rule, month)])
            conversions = uniques = 0
            amounts: defaultdict[str | None, Decimal] = defaultdict(Decimal)
            for day, (times, visitors, *sums) in self._days(rule, month, mask):
                conversions += times
                uniques += visitors
                for code, amount in _sums(sums[0]).items() if sums else ():
                    if code in home:
                        amounts[code] += amount
                    else:
                        abroad = dict(found.get(day, NOTHING).amounts)
                        found[day] = DayCount(Counts(0, 0), {**abroad, code: amount})
            at_home = found.get(month, NOTHING).amounts
            found[month] = DayCount(
                Counts(conversions, uniques), {**at_home, **amounts}
            )
        return found


def days_of(row: GoalMonth, versions: Versions) -> ByDay:
    """The counts of a row by day, for each counted and valid day, zeros included."""
    counted, days = months.unpack(
        row.month, row.version, row.counted, bytes(row.days), versions
    )
    return {
        row.month.replace(day=number): (
            _unpacked(days[number][1:]) if number in days else NOTHING
        )
        for number in months.numbers(counted)
    }


def has_right_sums(row: GoalMonth) -> bool:
    """Whether the sums of a row equal the sums of its days."""
    days = months.all_days(bytes(row.days))
    total = _total(_unpacked(numbers) for _, *numbers in days.values())
    return total == DayCount(
        Counts(row.conversions, row.uniques), _sums(row.amounts or {})
    )


def keep(rows: Iterable[GoalMonth], *, sealed_before: date) -> None:
    """Store rows of unsealed months. Call it within `seals.keeping`."""
    GoalMonth.objects.bulk_create(
        # In a fixed order, so that two writers cannot deadlock.
        sorted(
            (row for row in rows if row.month >= sealed_before),
            key=lambda row: (bytes(row.rule), row.month),
        ),
        batch_size=1_000,
        update_conflicts=True,
        unique_fields=["site", "rule", "month"],
        update_fields=[
            *("version", "counted", "days", "conversions", "uniques", "amounts")
        ],
    )


def _packed(of_day: DayCount | None) -> list[Any]:
    count = NOTHING if of_day is None else of_day
    texts = _texts(count.amounts)
    return [*count.counts, texts] if texts else [*count.counts]


def _unpacked(numbers: list[Any]) -> DayCount:
    conversions, uniques, *amounts = numbers
    return DayCount(Counts(conversions, uniques), _sums(amounts[0]) if amounts else {})


def _texts(amounts: Mapping[str | None, Decimal]) -> dict[str, str] | None:
    return {code or "": str(total) for code, total in amounts.items()} or None


def _sums(texts: Mapping[str, str]) -> dict[str | None, Decimal]:
    return {code or None: Decimal(text) for code, text in texts.items()}


def _total(counts: Iterable[DayCount]) -> DayCount:
    conversions = uniques = 0
    sums: defaultdict[str | None, Decimal] = defaultdict(Decimal)
    for count in counts:
        conversions += count.counts.conversions
        uniques += count.counts.uniques
        for code, amount in count.amounts.items():
            sums[code] += amount
    return DayCount(Counts(conversions, uniques), dict(sums))


def count(
    selection: Selection,
    names: Mapping[Rule, Names],
    *,
    with_amounts: Collection[Rule],
) -> dict[Rule, ByDay]:
    """Count each rule on each day of the selection from the events."""
    sent = SentNames(selection, names)
    counted: dict[Rule, ByDay] = {rule: {} for rule in names}
    if (by_mask := sent.classes()) is not None:
        return counted | _by_class(selection, sent.rules, by_mask, with_amounts)
    for portion in sent.portions():
        rules, wanted = list(portion), dict(enumerate(portion.values()))
        for number, by_day in events.daily_each(selection, wanted).items():
            counted[rules[number]] = {
                day: DayCount(of_day, {}) for day, of_day in by_day.items()
            }
        priced = {n: ids for n, ids in wanted.items() if rules[n] in with_amounts}
        sums = events.amounts_each(selection, priced) if priced else {}
        for number, by_code in sums.items():
            _add_amounts(counted[rules[number]], by_code)
    return counted


def _by_class(
    selection: Selection,
    rules: Sequence[Rule],
    by_mask: Classes,
    with_amounts: Collection[Rule],
) -> dict[Rule, ByDay]:
    masks, wanted = list(by_mask), dict(enumerate(by_mask.values()))
    times: defaultdict[date, BitCounts] = defaultdict(BitCounts)
    visitors: defaultdict[date, BitCounts] = defaultdict(BitCounts)
    for day, numbers, seen, events_seen in events.daily_sets(selection, wanted):
        mask = union(masks[number] for number in numbers)
        if seen:
            visitors[day].add(mask, seen)
        else:
            times[day].add(mask, events_seen)
    counted: dict[Rule, ByDay] = {rule: {} for rule in rules}
    for day, conversions in times.items():
        uniques = visitors[day].counts()
        for place, number in conversions.counts().items():
            counts = Counts(number, uniques[place])
            counted[rules[place]][day] = DayCount(counts, {})
    sums: defaultdict[tuple[date, str | None], BitCounts] = defaultdict(BitCounts)
    priced = sum(1 << n for n, rule in enumerate(rules) if rule in with_amounts)
    some = {n: ids for n, ids in wanted.items() if masks[n] & priced}
    for number, by_code in (
        events.amounts_each(selection, some) if some else {}
    ).items():
        for key, total in by_code.items():
            sums[key].add(masks[number] & priced, events.to_amount(total))
    for key, amounts in sums.items():
        for place, amount in amounts.counts().items():
            _add_amounts(counted[rules[place]], {key: Decimal(amount).scaleb(-4)})
    return counted


def _add_amounts(
    counted: ByDay, sums: Mapping[tuple[date, str | None], Decimal]
) -> None:
    for (day, code), total in sums.items():
        before = counted.get(day, NOTHING)
        amounts = {**before.amounts, code: total}
        counted[day] = before._replace(amounts=amounts)
