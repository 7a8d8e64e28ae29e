"""Counts and amounts of several questions about the same days, in one statement."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import chain, repeat
from typing import Any

import msgspec
from django.db import connection
from django.db.models import Count, IntegerField, Value

from analytics.events.counts import Counts, halves, whole
from analytics.events.lookups import OneOf
from analytics.events.selection import Selection
from analytics.events.statements import (
    Compiled,
    around,
    as_day,
    chunked_cursor,
    chunks,
    day_by_day,
    union,
)
from analytics.models import Adjustment, Event, Fact
from analytics.questions.labels import EVERYTHING

# Numbered questions, each about some names; a name may belong to several.
Wanted = Mapping[int, Collection[int]]

_VISITOR_COLUMNS = ("name", "day", "visitor", "times")
# With more pairs of a question and a name than this, names without amounts on the days
# are left out first: most names have none.
_MANY_PAIRS = 10_000


def daily(selection: Selection, name_ids: Collection[int]) -> dict[date, Counts]:
    """Counts of each day that has events of these names."""
    return daily_each(selection, {0: name_ids}).get(0, {})


def daily_each(selection: Selection, wanted: Wanted) -> dict[int, dict[date, Counts]]:
    """`daily` for each question; one without events is left out."""
    counts: defaultdict[int, dict[date, Counts]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(*_daily_each(selection, wanted))
        for question, day, times, uniques in cursor:
            counts[question][as_day(day)] = Counts(int(times), uniques)
    return dict(counts)


def _daily_each(selection: Selection, wanted: Wanted) -> Compiled:
    """The columns question, day, times, uniques."""
    if len(wanted) == 1:
        # A single question needs no column for its number.
        ((number, name_ids),) = wanted.items()
        return day_by_day(
            selection.about(name_ids),
            lambda events: (
                events.filter(OneOf("name", name_ids))
                .values("day")
                .annotate(
                    question=Value(number, IntegerField()),
                    times=Count("*"),
                    uniques=Count("visitor", distinct=True),
                )
                .values_list("question", "day", "times", "uniques")
            ),
        )
    return around(
        _of_visitors(selection, wanted),
        _VISITOR_COLUMNS,
        f"""
        SELECT question, day, SUM(times), COUNT(*)
        FROM (
            SELECT question, day, SUM(times) AS times
            FROM selected JOIN {pair_table()} ON wanted = selected.name
            GROUP BY question, day, visitor
        ) AS visitors
        GROUP BY question, day
        """,  # noqa: S608 - one of two constants
        pairs(wanted),
    )


def daily_sets(
    selection: Selection, wanted: Wanted
) -> Iterator[tuple[date, list[int], int, int]]:
    """Days, questions, visitors and events, for questions that share no name.

    A row has either the visitors with events of exactly these questions, or the events
    of a single question; the other number is 0.
    """
    is_postgresql = connection.vendor == "postgresql"
    joined = "STRING_AGG" if is_postgresql else "GROUP_CONCAT"
    # Sorted, so that equal sets have equal texts.
    order = "ORDER BY question" if is_postgresql else ""
    statement = around(
        _of_visitors(selection, wanted),
        _VISITOR_COLUMNS,
        f"""
        , found AS (
            SELECT question, day, visitor, SUM(times) AS times
            FROM selected JOIN {pair_table()} ON wanted = selected.name
            GROUP BY question, day, visitor
        )
        SELECT day, CAST(question AS text), 0, SUM(times) FROM found
        GROUP BY day, question
        UNION ALL
        SELECT day, questions, COUNT(*), 0
        FROM (
            SELECT day, {joined}(CAST(question AS text), ',' {order}) AS questions
            FROM found GROUP BY day, visitor
        ) AS visitors
        GROUP BY day, questions
        """,  # noqa: S608 - constants
        pairs(wanted),
    )
    with chunked_cursor() as cursor:
        cursor.execute(*statement)
        for day, questions, visitors, times in chunks(cursor):
            of_each = [int(question) for question in questions.split(",")]
            yield as_day(day), of_each, visitors, int(times)


def _of_visitors(selection: Selection, wanted: Wanted) -> Compiled:
    """How often each visitor had each of the names, by day."""
    names = _names(wanted)
    return day_by_day(
        selection.about(names),
        lambda events: (
            events.filter(OneOf("name", names))
            .values("name", "day", "visitor")
            .annotate(times=Count("*"))
            .values_list(*_VISITOR_COLUMNS)
        ),
    )


def amounts_each(
    selection: Selection, wanted: Wanted
) -> dict[int, dict[tuple[date, str | None], Decimal]]:
    """`amounts` for each question; one without amounts is left out."""
    if sum(map(len, wanted.values())) > _MANY_PAIRS:
        priced = _sent(selection, Event, Adjustment, amount__isnull=False)
        wanted = {n: [*filter(priced.__contains__, ids)] for n, ids in wanted.items()}
    names = _names(wanted)
    statement = around(
        union(
            *(halves(selection, names, facts, "name") for facts in (Event, Adjustment))
        ),
        ("name", "day", "currency", "high", "low", "times"),
        f"""
        SELECT question, day, currency, SUM(high), SUM(low), SUM(times)
        FROM selected JOIN {pair_table()} ON wanted = selected.name
        GROUP BY question, day, currency
        """,  # noqa: S608 - one of two constants
        pairs(wanted),
    )
    sums: defaultdict[int, dict[tuple[date, str | None], Decimal]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(*statement)
        for question, day, currency, *parts in cursor:
            sums[question][as_day(day), currency] = whole(*parts).total
    return dict(sums)


def sent_names(selection: Selection) -> set[int]:
    """The ids of the names with events or refunds on the days, without filters."""
    return _sent(selection, Event, Adjustment)


def _sent(selection: Selection, *facts: type[Fact], **having: Any) -> set[int]:
    every = selection._replace(filters=EVERYTHING, names=None)
    found = union(
        *(
            day_by_day(
                every,
                lambda of_day: of_day.filter(**having).values_list("name").distinct(),
                each,
            )
            for each in facts
        )
    )
    # One text: reading a row takes a microsecond.
    joined = "STRING_AGG" if connection.vendor == "postgresql" else "GROUP_CONCAT"
    statement = around(
        found,
        ["name"],
        f"""
        SELECT {joined}(CAST(name AS text), ',')
        FROM (SELECT DISTINCT name FROM selected) AS names
        """,  # noqa: S608 - one of two constants
    )
    with connection.cursor() as cursor:
        cursor.execute(*statement)
        ((text,),) = cursor.fetchall()
    return set(map(int, text.split(","))) if text else set()


def _names(wanted: Wanted) -> list[int]:
    return sorted({name for names in wanted.values() for name in names})


def pair_table() -> str:
    if connection.vendor == "postgresql":
        return "UNNEST(%s::int[], %s::bigint[]) AS pairs (question, wanted)"
    # One parameter, however many pairs: SQLite allows 32,766.
    return """(
        SELECT value ->> 0 AS question, value ->> 1 AS wanted FROM JSON_EACH(%s)
    ) AS pairs"""


def pairs(wanted: Wanted) -> list[str]:
    """As texts: psycopg takes a microsecond for each number of a list."""
    if connection.vendor == "postgresql":
        numbers = chain.from_iterable(
            repeat(str(number), len(names)) for number, names in wanted.items()
        )
        ids = map(str, chain.from_iterable(wanted.values()))
        return [f"{{{','.join(texts)}}}" for texts in (numbers, ids)]
    rows = [(number, name) for number, names in wanted.items() for name in names]
    return [msgspec.json.encode(rows).decode()]
