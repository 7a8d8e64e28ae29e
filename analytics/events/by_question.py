"""Many questions about the same days, answered in one statement each."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
from django.db import connection
from django.db.models import Count

from analytics.events.counts import Counts, halves, whole
from analytics.events.selection import Selection
from analytics.events.series import daily
from analytics.events.statements import around, as_day, day_by_day, union
from analytics.models import Adjustment, Event

# Questions, numbered, each wanting some names; a name may be wanted by many.
Wanted = Mapping[int, Collection[int]]


def daily_each(selection: Selection, wanted: Wanted) -> dict[int, dict[date, Counts]]:
    """`daily` for each question; one without events is left out."""
    if len(wanted) == 1:
        # Alone it need not be told from others.
        return {number: daily(selection, names) for number, names in wanted.items()}
    names = _names(wanted)
    selected = day_by_day(
        selection,
        lambda events: (
            events.filter(name__one_of=names)
            .values("name", "day", "visitor")
            .annotate(times=Count("*"))
            .values_list("name", "day", "visitor", "times")
        ),
    )
    rows = around(
        selected,
        ("name", "day", "visitor", "times"),
        f"""
        SELECT question, day, SUM(times), COUNT(*)
        FROM (
            SELECT question, day, SUM(times) AS times
            FROM selected JOIN {_pair_table()} ON wanted = selected.name
            GROUP BY question, day, visitor
        ) AS visitors
        GROUP BY question, day
        """,  # noqa: S608 - one of two constants
        _pairs(wanted),
    )
    counts: defaultdict[int, dict[date, Counts]] = defaultdict(dict)
    for question, day, times, uniques in rows:
        counts[question][as_day(day)] = Counts(int(times), uniques)
    return dict(counts)


def amounts_each(
    selection: Selection, wanted: Wanted
) -> dict[int, dict[tuple[date, str | None], Decimal]]:
    """`amounts` for each question; one without amounts is left out."""
    names = _names(wanted)
    rows = around(
        union(
            *(halves(selection, names, facts, "name") for facts in (Event, Adjustment))
        ),
        ("name", "day", "currency", "high", "low", "times"),
        f"""
        SELECT question, day, currency, SUM(high), SUM(low), SUM(times)
        FROM selected JOIN {_pair_table()} ON wanted = selected.name
        GROUP BY question, day, currency
        """,  # noqa: S608 - one of two constants
        _pairs(wanted),
    )
    sums: defaultdict[int, dict[tuple[date, str | None], Decimal]] = defaultdict(dict)
    for question, day, currency, *parts in rows:
        sums[question][as_day(day), currency] = whole(*parts).total
    return dict(sums)


def _names(wanted: Wanted) -> list[int]:
    return sorted({name for names in wanted.values() for name in names})


def _pair_table() -> str:
    if connection.vendor == "postgresql":
        return "UNNEST(%s::int[], %s::bigint[]) AS pairs (question, wanted)"
    # One parameter, however many pairs: SQLite allows 32,766.
    return """(
        SELECT value ->> 0 AS question, value ->> 1 AS wanted FROM JSON_EACH(%s)
    ) AS pairs"""


def _pairs(wanted: Wanted) -> list[Any]:
    pairs = [(number, name) for number, names in wanted.items() for name in names]
    if connection.vendor == "postgresql":
        return [[number for number, _ in pairs], [name for _, name in pairs]]
    return [msgspec.json.encode(pairs).decode()]
