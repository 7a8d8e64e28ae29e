"""Funnels: visitors who completed steps in order within a day, and their times.

An attempt begins with an event of the first step, and reaches each further step with
the earliest event of this step after the event of the previous step. A visitor's
attempt of a day is the one that gets furthest within the window, among equal ones the
earliest. Filters and values apply to its first event.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import accumulate, groupby
from operator import itemgetter
from typing import Any, NamedTuple

from django.db import connection

from analytics.events.attribution import Attributed
from analytics.events.lookups import OneOf, one_of, within
from analytics.events.props import decode, prop
from analytics.events.selection import Selection
from analytics.events.spans import Span
from analytics.events.statements import Compiled, chunked_cursor, chunks
from analytics.models import Event, EventName, EventType
from analytics.questions.filters import LABELS
from analytics.questions.labels import PROPS

_EVENTS = Event._meta.db_table
# No day is longer, even one with a change of the site's zone in it.
_WHOLE_DAY = timedelta(days=3)
_MICROSECOND = timedelta(microseconds=1)
# The kind of a row: the median of a step, or visitors with a value.
_MEDIAN, _VISITORS = range(2)
# The columns of an event that steps use.
_OWN = ("day", "visitor", "at", "id", "name_id")

# The ids of the names of a step.
Step = Collection[int]
Value = str | int | float | bool | None


class _Key(NamedTuple):
    """SQL over columns of an event that distinguishes the values.

    `columns` are those of `Attributed.column`, `carried` the event's own.
    """

    sql: str
    params: Sequence[str] = ()
    type: str = "bigint"
    columns: Sequence[str] = ()
    carried: Sequence[str] = ()


class FunnelRow(NamedTuple):
    """The visitors whose attempt began with a value, at each step."""

    value: Value
    visitors: list[int]


class Funnel(NamedTuple):
    """`medians`: the nearest-rank medians of whole seconds since the previous step.

    None for the first step and for steps that no visitor reached. `rows`: every value
    once, in any order; without a dimension the single value None, or no row.
    """

    medians: list[int | None]
    rows: Iterator[FunnelRow]


@contextmanager
def funnel(
    selection: Selection,
    steps: Sequence[Step],
    window: timedelta | None = None,
    *,
    dimension: str | None = None,
) -> Iterator[Funnel]:
    """The visitors of each step, summed over the days.

    A step is an event with one of some names. The steps of a visitor are ordered by
    time, then by storage. No event is two steps, and the last one is at most `window`
    after the first, None for the whole day.

    `dimension`: `path`, `name`, a label, or `props.` and a key. One statement, whose
    rows (up to one for each visitor) are read while the context is open.
    """
    attributed = None
    if selection.filters.where or dimension in LABELS:
        attributed = selection.attributed()
    key = _key(dimension, attributed)
    sql, params = _statement(
        _events(selection, steps, attributed, key), steps, window or _WHOLE_DAY, key
    )
    # PostgreSQL streams nothing in parallel: few visitors by referrer, of two million
    # events, took 8 s that way instead of 0.3. Only properties can have many values.
    is_long = key.type == "text" and attributed is None
    with chunked_cursor() if is_long else connection.cursor() as cursor:
        cursor.execute(sql, params)
        kinds = groupby(chunks(cursor), key=itemgetter(0))
        medians = {step: seconds for _, _, step, seconds in next(kinds)[1]}
        rows = (row[1:] for _, group in kinds for row in group)
        reached = groupby(rows, key=itemgetter(0))
        by_key = ((key, _at_each(len(steps), own)) for key, own in reached)
        yield Funnel(
            [medians.get(step) for step in range(len(steps))],
            _named(selection.site_id, dimension, attributed, by_key),
        )


def _at_each(length: int, rows: Iterable[tuple[Any, int, int]]) -> list[int]:
    """The visitors who reached each step, from the visitors by their last step."""
    ended_at = {furthest: visitors for _, furthest, visitors in rows}
    last_first = (ended_at.get(step, 0) for step in reversed(range(length)))
    return list(accumulate(last_first))[::-1]


def _named(
    site_id: int,
    dimension: str | None,
    attributed: Attributed | None,
    by_key: Iterable[tuple[Any, list[int]]],
) -> Iterator[FunnelRow]:
    """The rows with values in place of the database's keys."""
    if dimension is None or dimension.startswith(PROPS):
        # Read one by one, because each visitor may have a different value.
        for key, visitors in by_key:
            yield FunnelRow(decode(key), visitors)
        return
    found = dict(by_key)
    texts: dict[int, str]
    if attributed and dimension in LABELS:
        texts = attributed.values(dimension, found)
    else:
        names = EventName.objects.filter(OneOf("pk", found), site_id=site_id)
        if dimension == "path":
            # Any other key is the name of an event without a page: no path.
            names = names.filter(type=EventType.PAGEVIEW)
        texts = dict(names.values_list("pk", "name"))
    # Several contexts have the same value.
    sums: defaultdict[str | None, list[list[int]]] = defaultdict(list)
    for key, visitors in found.items():
        sums[texts.get(key) or None].append(visitors)
    for value, parts in sums.items():
        yield FunnelRow(value, list(map(sum, zip(*parts, strict=True))))


def _key(dimension: str | None, attributed: Attributed | None) -> _Key:
    if dimension is None:
        return _Key("CAST(NULL AS bigint)")
    if attributed and dimension in LABELS:
        column = attributed.column(dimension)
        return _Key(column, columns=[column])
    if dimension == "name":
        return _Key("name_id")
    if dimension == "path":
        return _Key("COALESCE(page_id, name_id)", carried=["page_id"])
    own = [dimension.removeprefix(PROPS)]
    return _Key(prop("props"), own, type="text", carried=["props"])


def _events(
    selection: Selection,
    steps: Sequence[Step],
    attributed: Attributed | None,
    key: _Key,
) -> Compiled:
    """The events that can be steps; `passes`: 0 for a first step outside filters."""
    carried = [*_OWN, *key.carried]
    named, ids = one_of("name_id", {name for names in steps for name in names})
    if attributed is None:
        days, of_days = within("day", selection.days)
        return (
            f"SELECT {', '.join(carried)}, 1 AS passes FROM {_EVENTS} AS event"  # noqa: S608 - constants
            f" WHERE site_id = %s AND {days} AND {named}",
            [selection.site_id, *of_days, ids],
        )
    walks, params = attributed.walks(
        Span(selection.days), steps[0], columns=key.columns, carried=carried
    )
    return f"SELECT * FROM ({walks}) AS walks WHERE {named}", [*params, ids]  # noqa: S608 - constants


def _statement(
    events: Compiled, steps: Sequence[Step], window: timedelta, key: _Key
) -> Compiled:
    """SQL for the columns kind, key, step, number: see `_MEDIAN` and `_VISITORS`."""
    length = len(steps)
    flags, ids = [], []
    for step, names in enumerate(steps):
        named, own = one_of("name_id", names)
        flags.append(f"CASE WHEN {named} THEN 1 ELSE 0 END AS is_{step}")
        ids.append(own)
    in_time = " ".join(
        f"WHEN at_{step} - at_0 <= %s THEN {step}" for step in range(length - 1, 0, -1)
    )
    times = ", ".join(f"at_{step}" for step in range(length))
    sql = f"""
        WITH events AS ({events[0]}), flagged AS (
            SELECT events.*, {_microseconds("at")} AS moment, {", ".join(flags)}
            FROM events
        ), steps AS (
            SELECT flagged.*, CASE WHEN is_0 = 1 THEN {key.sql} END AS key FROM flagged
        ), {_ways(length)}, attempts AS (
            SELECT day, visitor, id, key, passes, {times},
                CASE {in_time} ELSE 0 END AS furthest
            FROM way_0 WHERE is_0 = 1
        ), turns AS (
            SELECT attempts.*, ROW_NUMBER() OVER (
                PARTITION BY day, visitor ORDER BY furthest DESC, at_0, id
            ) AS turn
            FROM attempts
        ), visitors AS (
            SELECT * FROM turns WHERE turn = 1 AND passes = 1
        ), {_MEDIANS.format(seconds=_seconds(length))}
        SELECT {_MEDIAN} AS kind, CAST(NULL AS {key.type}) AS key, step, median
        FROM medians
        UNION ALL SELECT {_MEDIAN}, NULL, 0, NULL
        UNION ALL SELECT {_VISITORS}, key, furthest, COUNT(*)
        FROM visitors GROUP BY key, furthest
        ORDER BY 1, 2
    """  # noqa: S608 - constants
    limits = [window // _MICROSECOND] * (length - 1)
    return sql, [*events[1], *ids, *key.params, *limits]


def _ways(length: int) -> str:
    """SQL for attempts: `at_N` is the time at which an event's attempt reaches step N.

    Computed from the last step to the first. The attempt of an event continues with
    that of the next event of the following step, which reaches all later steps
    earliest. So each step takes one pass over the events, always in the same order.
    """
    before = "day, visitor, id, moment, key, passes"
    ways = []
    for step in reversed(range(length)):
        flags = ", ".join(f"is_{each}" for each in range(step + 1))
        times = [f"CASE WHEN is_{step} = 1 THEN moment END AS at_{step}"]
        for later in range(step + 1, length):
            then = f"MIN(at_{later}) OVER back"
            times.append(f"CASE WHEN is_{step} = 1 THEN {then} END AS at_{later}")
        of = "steps" if step == length - 1 else f"way_{step + 1}"
        ways.append(
            f"""
            way_{step} AS (
                SELECT {before}, {flags}, {", ".join(times)} FROM {of}
                WINDOW back AS (
                    PARTITION BY day, visitor ORDER BY moment DESC, id DESC
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                )
            )
            """  # noqa: S608 - numbers only
        )
    return ", ".join(ways)


# The seconds by step, with the running count up to each number.
_MEDIANS = """
    seconds AS ({seconds}), spread AS (
        SELECT step, seconds,
            SUM(COUNT(*)) OVER (PARTITION BY step ORDER BY seconds) AS passed,
            SUM(COUNT(*)) OVER (PARTITION BY step) AS whole
        FROM seconds GROUP BY step, seconds
    ), medians AS (
        SELECT step, MIN(seconds) AS median
        FROM spread WHERE passed * 2 >= whole GROUP BY step
    )
"""


def _seconds(length: int) -> str:
    return " UNION ALL ".join(
        f"SELECT {step} AS step, (at_{step} - at_{step - 1}) / 1000000 AS seconds"  # noqa: S608 - numbers only
        f" FROM visitors WHERE furthest >= {step}"
        for step in range(1, length)
    )


def _microseconds(column: str) -> str:
    """SQL for a moment as microseconds since 1970, exactly; `%` is doubled."""
    if connection.vendor == "postgresql":
        # The float is exact to a quarter of a microsecond; EXTRACT would give
        # a decimal, which is slower.
        return f"ROUND(DATE_PART('epoch', {column}) * 1000000)::bigint"
    # Times are text. Their fraction has six digits or is missing.
    return f"STRFTIME('%%s', SUBSTR({column}, 1, 19)) * 1000000 + SUBSTR({column}, 21)"
