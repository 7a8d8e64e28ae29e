"""Counts of days by many labels, attributions and sets of names, in one pass.

The source of an event is derived from all events of its visitor's day, which takes far
longer than counting it. So the events are read once, each with all contexts that its
labels may come from, and are counted for every set of names that contains them. The
counts by each label follow from the combinations of contexts that occurred.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from django.db import connection

from analytics.events.attribution import Attributed
from analytics.events.cells import ByDay, Cell, DayParts, Group
from analytics.events.contexts import Contexts
from analytics.events.joint_labels import joined, labels_of
from analytics.events.spans import Span
from analytics.events.statements import (
    Compiled,
    as_day,
    chunked_cursor,
    chunks,
    of_each_day,
)
from analytics.models import Event, EventName, EventType
from analytics.questions.labels import ATTRIBUTIONS, Attribution, Filters
from analytics.questions.periods import Days

_NAMES = EventName._meta.db_table
# The number of columns before those of the cell.
_OWN = 6

Wanted = tuple[Attribution, str]


class Question(NamedTuple):
    """Counts of the events of these names, None for all, by some labels."""

    names: Collection[int] | None
    wanted: Sequence[Wanted]


class _Source(NamedTuple):
    """A label, and the columns that it is read from, which attributions may share."""

    columns: tuple[str, ...]
    label: str


class _Parts(NamedTuple):
    """Like DayParts, by any keys in place of values."""

    groups: dict[Any, Group]
    visitors: dict[frozenset[Any], int]


class _Tally:
    """The counts of one question on one day, by the numbers of cells."""

    def __init__(self) -> None:
        self.times: Counter[int] = Counter()
        self.views: Counter[int] = Counter()
        self.amounts: defaultdict[int, Counter[str | None]] = defaultdict(Counter)
        self.visitors: Counter[frozenset[int]] = Counter()

    def add(self, cell: int, view: int, code: str | None, amount: int | None) -> None:
        self.times[cell] += 1
        if view:
            self.views[cell] += 1
        if amount is not None:
            self.amounts[cell][code] += amount

    def parts(self) -> _Parts:
        groups = {}
        for cell, times in self.times.items():
            sums = self.amounts.get(cell, {}).items()
            amounts = {code: Decimal(amount).scaleb(-4) for code, amount in sums}
            groups[cell] = Group(times, self.views[cell], amounts)
        return _Parts(groups, self.visitors)


class _Members(dict[int, list[int]]):
    """The questions of each name. Each name is looked up once."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._questions = questions

    def __missing__(self, name: int) -> list[int]:
        self[name] = [
            number
            for number, (names, _) in enumerate(self._questions)
            if names is None or name in names
        ]
        return self[name]


def daily_of_each(
    contexts: Contexts, days: Days, questions: Sequence[Question]
) -> list[dict[Wanted, ByDay]]:
    """Count each day for every question, by each label under its attribution.

    `cells.daily` does the same for one set of names and one attribution.
    """
    attributed = {
        each: Attributed(contexts.site_id, Filters(attribution=each), contexts)
        for each in ATTRIBUTIONS
    }
    source_of = {
        (attribution, label): _Source(
            tuple(map(attributed[attribution].column, labels_of(label))), label
        )
        for _, wanted in questions
        for attribution, label in wanted
    }
    sources = sorted(set(source_of.values()))
    columns = sorted({column for source in sources for column in source.columns})
    one = attributed[ATTRIBUTIONS[0]]
    cells, tallies = _read(_statement(one, days, columns, questions), questions)
    short = {
        of.columns: [
            tuple(cell[columns.index(column)] for column in of.columns)
            for cell in cells
        ]
        for of in sources
    }
    values = {of: _values(one, of, short[of.columns]) for of in sources}
    found = []
    for number, (_, wanted) in enumerate(questions):
        own = sorted({source_of[each] for each in wanted})
        of_days = {
            day: of_day[number].parts()
            for day, of_day in tallies.items()
            if number in of_day
        }
        by_source = _by_source(of_days, own, short, values)
        found.append({each: by_source[source_of[each]] for each in wanted})
    return found


def _by_source(
    days: Mapping[date, _Parts],
    sources: Sequence[_Source],
    short: Mapping[tuple[str, ...], Sequence[Cell]],
    values: Mapping[_Source, Mapping[Cell, str]],
) -> dict[_Source, ByDay]:
    """The counts by each label, from counts by cell. `sources` are sorted."""
    found: dict[_Source, ByDay] = {of: {} for of in sources}
    for day, parts in days.items():
        # By a few columns first, which have fewer combinations than cells.
        for columns, same in groupby(sources, itemgetter(0)):
            by_columns = _regrouped(parts, short[columns])
            for of in same:
                found[of][day] = DayParts(*_regrouped(by_columns, values[of]))
    return found


def _statement(
    attributed: Attributed,
    days: Days,
    columns: Sequence[str],
    questions: Sequence[Question],
) -> Compiled:
    """The events with their cells, sorted by day and visitor."""
    sets = [names for names, _ in questions if names is not None]
    is_of_all = len(sets) < len(questions)
    selected, params = attributed.select(
        Event,
        Span(days, is_each=connection.vendor == "postgresql"),
        columns=columns,
        carried=("day", "visitor", "name_id", "currency", "amount"),
        name_ids=None if is_of_all else sorted(set().union(*sets)),
    )
    view, join = "0", ""
    if is_of_all:
        view = "CASE WHEN names.type = %s THEN 1 ELSE 0 END"
        join = f"JOIN {_NAMES} AS names ON names.id = name_id AND names.site_id = %s"
        params = [EventType.PAGEVIEW.value, *params, attributed.site_id]
    sql = f"""
        SELECT made.day, visitor, name_id, {view} AS view, currency, amount,
            {", ".join(columns)}
        FROM ({selected}) AS made {join}
    """  # noqa: S608 - constants
    rows, row_params = of_each_day((sql, params), days)
    return f"{rows} ORDER BY 1, 2", row_params


def _read(
    statement: Compiled, questions: Sequence[Question]
) -> tuple[list[Cell], dict[date, dict[int, _Tally]]]:
    """The cells by their numbers, and the counts of each day by question."""
    cells: dict[Cell, int] = {}
    found: dict[date, defaultdict[int, _Tally]] = {}
    members = _Members(questions)
    with chunked_cursor() as cursor:
        cursor.execute(*statement)
        for (day, _), rows in groupby(chunks(cursor), itemgetter(0, 1)):
            tallies = found.setdefault(as_day(day), defaultdict(_Tally))
            seen: defaultdict[int, set[int]] = defaultdict(set)
            for row in rows:
                cell = cells.setdefault(row[_OWN:], len(cells))
                for number in members[row[2]]:
                    is_of_all = questions[number].names is None
                    view = row[3] if is_of_all else 0
                    tallies[number].add(cell, view, row[4], row[5])
                    seen[number].add(cell)
            for number, of_visitor in seen.items():
                tallies[number].visitors[frozenset(of_visitor)] += 1
    return list(cells), dict(found)


def _values(
    attributed: Attributed, source: _Source, cells: Iterable[Cell]
) -> dict[Cell, str]:
    """The value of the label for each of these cells."""
    distinct = set(cells)
    parts = [
        attributed.values(part, (cell[place] for cell in distinct))
        for place, part in enumerate(labels_of(source.label))
    ]
    return {
        cell: joined(values[number] for values, number in zip(parts, cell, strict=True))
        for cell in distinct
    }


def _regrouped(parts: _Parts, shown: Sequence[Any] | Mapping[Any, Any]) -> _Parts:
    """The counts regrouped by the shown value of each value."""
    groups: dict[Any, Group] = {}
    for value, group in parts.groups.items():
        short = shown[value]
        groups[short] = groups[short] + group if short in groups else group
    visitors: dict[frozenset[Any], int] = {}
    for seen, number in parts.visitors.items():
        left = frozenset(map(shown.__getitem__, seen))
        visitors[left] = visitors.get(left, 0) + number
    return _Parts(groups, visitors)
