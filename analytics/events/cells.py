"""Counts by cell: the combination of contexts that an event's labels come from.

There are few distinct cells, and few distinct sets of cells that visitors were seen
with. The counts by any label, filters and rates follow from them exactly, without
reading events again.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from django.db import connection

from analytics.events.attribution import Attributed
from analytics.events.counts import HALF, Counts, whole
from analytics.events.joint_labels import joined, labels_of
from analytics.events.selection import Selection
from analytics.events.spans import ALL, Changed, Span, of_all
from analytics.events.statements import (
    Compiled,
    as_day,
    chunked_cursor,
    chunks,
    of_each_day,
)
from analytics.models import Adjustment, Event, EventName, EventType, Fact

# Ids of contexts or names, one for each column of an `Attributed`.
Cell = tuple[int, ...]
Sums = dict[tuple[date, str | None], Decimal]

_NAMES = EventName._meta.db_table
_OTHER_TYPES = (EventType.EVENT.value, EventType.GOAL.value)


class Group(NamedTuple):
    """The counts of one value on one day.

    `pageviews` are counted only where all names are selected.
    """

    times: int = 0
    pageviews: int = 0
    amounts: dict[str | None, Decimal] = {}

    def __add__(self, other: "Group") -> "Group":  # type: ignore[override]
        # Most groups have no amounts.
        amounts = self.amounts or other.amounts
        if self.amounts and other.amounts:
            sums = defaultdict(Decimal, self.amounts)
            for code, amount in other.amounts.items():
                sums[code] += amount
            amounts = dict(sums)
        return Group(
            self.times + other.times, self.pageviews + other.pageviews, amounts
        )


class DayParts(NamedTuple):
    """The counts of a day by the values of a label.

    `visitors`: how many visitors were seen with exactly this set of values. A refund
    adds an amount to a group, but neither an event nor a visitor.
    """

    groups: dict[str, Group]
    visitors: dict[frozenset[str], int]


ByDay = dict[date, DayParts]


class Part(NamedTuple):
    """The counts of one value on several days."""

    counts: Counts
    pageviews: int
    sums: Sums


def parts(days: ByDay) -> dict[str, Part]:
    """The sums of days by value. Visitor ids change daily, so visitors add up."""
    times: defaultdict[str, int] = defaultdict(int)
    uniques: defaultdict[str, int] = defaultdict(int)
    pageviews: defaultdict[str, int] = defaultdict(int)
    sums: defaultdict[str, Sums] = defaultdict(dict)
    for day, (groups, visitors) in days.items():
        for value, group in groups.items():
            times[value] += group.times
            pageviews[value] += group.pageviews
            for code, amount in group.amounts.items():
                sums[value][day, code] = amount
        for values, number in visitors.items():
            for value in values:
                uniques[value] += number
    return {
        value: Part(Counts(times[value], uniques[value]), pageviews[value], sums[value])
        for value in times
    }


def numbers_by_value(days: ByDay) -> dict[str | None, tuple[int, int]]:
    """The page views and the visitors of each value, None: not known."""
    pageviews: defaultdict[str, int] = defaultdict(int)
    uniques: defaultdict[str, int] = defaultdict(int)
    for groups, visitors in days.values():
        for value, group in groups.items():
            pageviews[value] += group.pageviews
        for values, number in visitors.items():
            for value in values:
                uniques[value] += number
    return {
        value or None: (views, uniques[value]) for value, views in pageviews.items()
    }


def plus(day: DayParts, more: DayParts, sign: int = 1) -> DayParts:
    """The sum of both; with `sign=-1` the difference."""
    groups, visitors = dict(day.groups), dict(day.visitors)
    for value, group in more.groups.items():
        amounts = {code: sign * amount for code, amount in group.amounts.items()}
        added = Group(sign * group.times, sign * group.pageviews, amounts)
        groups[value] = groups.get(value, Group()) + added
        if sign < 0 and not groups[value].times:
            del groups[value]
    for seen, number in more.visitors.items():
        visitors[seen] = visitors.get(seen, 0) + sign * number
        if not visitors[seen]:
            del visitors[seen]
    return DayParts(groups, visitors)


def sum_of(days: Iterable[DayParts]) -> DayParts:
    """The sum of many, in one pass."""
    groups, visitors = dict[str, Group](), dict[frozenset[str], int]()
    for day in days:
        for value, group in day.groups.items():
            before = groups.get(value)
            groups[value] = before + group if before else group
        for seen, number in day.visitors.items():
            visitors[seen] = visitors.get(seen, 0) + number
    return DayParts(groups, visitors)


def flattened(days: ByDay, home: Collection[str | None] | None) -> ByDay:
    """The same for `parts`, with the counts of all days under the first of them.

    Visitors are counted with each of their values alone. Amounts stay by day, unless
    all are in the currencies `home`, or that is None.
    """
    if not days:
        return {}
    groups, visitors = sum_of(days.values())
    alone: defaultdict[frozenset[str], int] = defaultdict(int)
    for values, number in visitors.items():
        for value in values:
            alone[frozenset((value,))] += number
    codes = {code for group in groups.values() for code in group.amounts}
    first = min(days)
    if home is None or codes <= set(home):
        return {first: DayParts(groups, dict(alone))}
    counts = {value: group._replace(amounts={}) for value, group in groups.items()}
    return {
        day: plus(
            DayParts(counts, dict(alone)) if day == first else DayParts({}, {}),
            DayParts(
                {
                    value: Group(amounts=group.amounts)
                    for value, group in parts.groups.items()
                    if group.amounts
                },
                {},
            ),
        )
        for day, parts in days.items()
    }


def narrowed(
    day: DayParts, passes: Callable[[str], bool], shown: Callable[[str], str]
) -> DayParts:
    """The counts of the values that pass, by the value that is shown for each."""
    shown_as = {value: shown(value) for value in day.groups if passes(value)}
    groups: dict[str, Group] = {}
    for value, short in shown_as.items():
        groups[short] = groups.get(short, Group()) + day.groups[value]
    visitors: dict[frozenset[str], int] = {}
    for seen, number in day.visitors.items():
        if left := frozenset(shown_as[v] for v in seen if v in shown_as):
            visitors[left] = visitors.get(left, 0) + number
    return DayParts(groups, visitors)


class Cells(NamedTuple):
    """Counts by cell. A (cell, day) may appear in several groups.

    `visitors`: how many visitors were seen on a day with exactly these cells.
    """

    groups: list[tuple[date, Cell, Group]]
    visitors: list[tuple[date, list[Cell], int]]

    def by_day(self, values: Mapping[Cell, str]) -> ByDay:
        """The counts by day and value; `values`: the value of each cell."""
        days: ByDay = {}
        for day, cell, group in self.groups:
            groups = days.setdefault(day, DayParts({}, {})).groups
            value = values[cell]
            groups[value] = groups.get(value, Group()) + group
        for day, cells, number in self.visitors:
            # A set: a visitor seen twice with one value counts once.
            seen, visitors = frozenset(values[c] for c in cells), days[day].visitors
            visitors[seen] = visitors.get(seen, 0) + number
        return days


def daily_by_label(
    selection: Selection, labels: Iterable[str], *, with_amounts: bool = False
) -> dict[str, ByDay]:
    """Count each day by the values of each label, from the events that pass."""
    facts = (Event, Adjustment) if with_amounts else (Event,)
    return daily(selection, labels, facts, selection.attributed())


def daily(
    selection: Selection,
    labels: Iterable[str],
    facts: Sequence[type[Fact]],
    attributed: Attributed,
) -> dict[str, ByDay]:
    """Count each day of the selection by the values of each label.

    One statement reads the events once for all labels, so the counts are of one moment.
    `facts`: events, refunds, or both.
    """
    columns = _columns(labels, attributed)
    with chunked_cursor() as cursor:
        cursor.execute(*_statement(selection, attributed, columns, facts, None))
        return _by_label(chunks(cursor), [ALL], columns, attributed)[ALL]


def changes(
    selection: Selection, labels: Iterable[str], attributed: Attributed, of: Changed
) -> tuple[dict[str, ByDay], dict[str, ByDay]]:
    """Count the changed visitors of a day, with their new events and without them."""
    columns = _columns(labels, attributed)
    # A few visitors are few rows, for which reading in parts would be six round trips.
    with connection.cursor() if of.is_of_some else chunked_cursor() as cursor:
        cursor.execute(*_statement(selection, attributed, columns, [Event], of))
        found = _by_label(chunks(cursor), of.ends, columns, attributed)
    return found[of.end], found.get(of.after, {})


def _columns(labels: Iterable[str], attributed: Attributed) -> dict[str, list[str]]:
    """The columns that each label consists of."""
    return {
        label: [attributed.column(part) for part in labels_of(label)]
        for label in labels
    }


def _by_label(
    rows: Iterable[tuple[Any, ...]],
    ends: Iterable[int],
    columns: Mapping[str, Sequence[str]],
    attributed: Attributed,
) -> dict[int, dict[str, ByDay]]:
    """The counts up to each of the ends, of the rows of `_statement`."""
    found = {end: Cells([], []) for end in ends}
    for is_visitors, up_to, day, text, code, times, views, *halves in rows:
        day = as_day(day)
        if is_visitors:
            cells = [_cell(each) for each in text.split(",")]
            found[up_to].visitors.append((day, cells, int(times)))
            continue
        amounts = {code: whole(*halves).total} if halves[2] else {}
        group = Group(int(times), int(views), amounts)
        found[up_to].groups.append((day, _cell(text), group))
    cells_of_all = {cell for each in found.values() for _, cell, _ in each.groups}
    places = {column: place for place, column in enumerate(_distinct(columns))}
    values = {
        label: _values(cells_of_all, label, [places[c] for c in own], attributed)
        for label, own in columns.items()
    }
    return {
        end: {label: each.by_day(values[label]) for label in columns}
        for end, each in found.items()
    }


def _distinct(columns: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(columns.values())))


def _values(
    cells: Collection[Cell],
    label: str,
    places: Sequence[int],
    attributed: Attributed,
) -> dict[Cell, str]:
    """The value by cell of a label, whose columns have these places in the cells."""
    parts = [
        (place, attributed.values(part, (cell[place] for cell in cells)))
        for place, part in zip(places, labels_of(label), strict=True)
    ]
    return {
        cell: joined(values[cell[place]] for place, values in parts) for cell in cells
    }


def _statement(
    selection: Selection,
    attributed: Attributed,
    columns_of: Mapping[str, Sequence[str]],
    facts: Sequence[type[Fact]],
    changed: Changed | None,
) -> tuple[str, list[Any]]:
    columns = _distinct(columns_of)
    text = " || ' ' || ".join(f"CAST({column} AS text)" for column in columns)
    join = "STRING_AGG" if connection.vendor == "postgresql" else "GROUP_CONCAT"
    money = "currency, SUM(times), SUM(views), SUM(high), SUM(low), SUM(priced)"
    grouped = f"GROUP BY up_to, day, currency, {', '.join(columns)}"
    seen, selects, params = [], [], list[Any]()
    for number, kind in enumerate(facts):
        select = partial(_seen, selection, attributed, columns, kind)
        sql, more = (
            changed.of_each_end(select)
            if changed
            else of_all(of_each_day(select(None), selection.days))
        )
        seen.append(f"seen_{number} AS ({sql})")
        params += more
        selects.append(
            f"SELECT 0, up_to, day, {text}, {money} FROM seen_{number} {grouped}"  # noqa: S608 - constants
        )
        if kind is Event:
            selects.append(
                f"""
                SELECT 1, up_to, day, cells, NULL, COUNT(*), 0, 0, 0, 0
                FROM (
                    SELECT up_to, day, {join}({text}, ',') AS cells
                    FROM seen_{number} GROUP BY up_to, day, visitor
                ) AS visitors
                GROUP BY up_to, day, cells
                """  # noqa: S608 - constants
            )
    return f"WITH {', '.join(seen)} {' UNION ALL '.join(selects)}", params


def _cell(text: str) -> Cell:
    return tuple(map(int, text.split(" ")))


def _seen(
    selection: Selection,
    attributed: Attributed,
    columns: Sequence[str],
    facts: type[Fact],
    changed: Changed | None,
) -> Compiled:
    """SQL for the counts of each visitor and day by cell and currency."""
    is_each = connection.vendor == "postgresql"
    selected, params = attributed.select(
        facts,
        Span(selection.days, is_each, changed),
        columns=columns,
        carried=("day", "visitor", "name_id", "amount", "currency"),
        name_ids=selection.names,
    )
    times, views = "0", "0"
    if facts is Event:
        times = "COUNT(*)"
        if selection.names is None:
            # Few names are no page views: looked up, no event is joined with its name.
            views = f"""COUNT(CASE WHEN name_id NOT IN (
                SELECT id FROM {_NAMES} WHERE site_id = %s AND type IN (%s, %s)
            ) THEN 1 END)"""  # noqa: S608 - a constant
            params = [selection.site_id, *_OTHER_TYPES, *params]
    by = ", ".join(columns)
    sql = f"""
        SELECT made.day, visitor, currency, {by}, {times} AS times, {views} AS views,
            SUM(amount / {HALF}) AS high, SUM(amount %% {HALF}) AS low,
            COUNT(amount) AS priced
        FROM ({selected}) AS made
    """  # noqa: S608 - constants
    return f"{sql} GROUP BY made.day, visitor, currency, {by}", params
