"""Which visitors did some things in order within a day."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import accumulate
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BigIntegerField, Case, Func, Value, When
from django.db.models.sql.compiler import SQLCompiler

from analytics.events.selection import Selection
from analytics.events.statements import Expressed, around, compiled

# No day is longer, even one with a change of the site's zone in it.
_WHOLE_DAY = timedelta(days=3)


def funnel_visitors(
    selection: Selection,
    steps: Sequence[Iterable[int]],
    window: timedelta | None = None,
) -> list[int]:
    """How many visitors reached each step, summed over the days.

    A step is an event with one of some names. Those of a visitor are in order
    of their times, at the same moment in the order they were stored, no event
    is two of them, and the last is at most `window` after the first, None for the day.
    """
    limit = (window or _WHOLE_DAY) // timedelta(microseconds=1)
    steps = [list(ids) for ids in steps]
    flags = [f"is_{step}" for step in range(len(steps))]
    every_id = {name_id for ids in steps for name_id in ids}
    taken = {
        flag: Case(When(name__one_of=ids, then=Value(1)), default=Value(0))
        for flag, ids in zip(flags, steps, strict=True)
    }
    columns = ("day", "visitor", "moment", "id", *flags)
    moves = selection.named(every_id).annotate(moment=_Microseconds("at"), **taken)
    statement = around(
        compiled(moves.values_list(*columns)),
        columns,
        _ways(len(steps)),
        [limit] * (len(steps) - 1),
    )
    with connection.cursor() as cursor:
        cursor.execute(*statement)
        ended_at: dict[int, int] = dict(cursor.fetchall())
    last_first = [ended_at.get(step, 0) for step in reversed(range(len(steps)))]
    return list(accumulate(last_first))[::-1]


def _ways(length: int) -> str:
    """SQL for how many visitors got how far, and no further.

    `start_N` is, at an event that is step N, the latest start of a way there.
    The latest is enough: what is within the window of an earlier start is
    within that of a later one. A way goes on after the event, never with it.
    """
    ways = [
        """
        way_0 AS (
            SELECT *, CASE WHEN is_0 = 1 THEN moment END AS start_0 FROM selected
        )
        """
    ]
    for step in range(1, length):
        ways.append(
            f"""
            led_to_{step} AS (
                SELECT *, MAX(start_{step - 1}) OVER (
                    PARTITION BY day, visitor ORDER BY moment, id
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                ) AS before_{step}
                FROM way_{step - 1}
            ),
            way_{step} AS (
                SELECT *, CASE
                    WHEN is_{step} = 1 AND moment - before_{step} <= %s
                    THEN before_{step}
                END AS start_{step}
                FROM led_to_{step}
            )
            """  # noqa: S608 - numbers only
        )
    furthest = " ".join(
        f"WHEN COUNT(start_{step}) > 0 THEN {step}" for step in reversed(range(length))
    )
    return f"""
        , {",".join(ways)},
        visitors AS (
            SELECT CASE {furthest} END AS furthest
            FROM way_{length - 1} GROUP BY day, visitor
        )
        SELECT furthest, COUNT(*) FROM visitors GROUP BY furthest
    """  # noqa: S608 - numbers only


class _Microseconds(Func):
    """A moment as microseconds since 1970, exactly."""

    output_field = BigIntegerField()

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> Expressed:
        # The float is exact to a quarter of a microsecond; EXTRACT would give
        # a decimal, which is slower.
        template = "ROUND(DATE_PART('epoch', %(expressions)s) * 1000000)::bigint"
        return self.as_sql(compiler, connection, template=template)

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> Expressed:
        # Times are text. Their fraction has six digits or is missing.
        template = (
            "STRFTIME('%%%%s', SUBSTR(%(expressions)s, 1, 19)) * 1000000"
            " + SUBSTR(%(expressions)s, 21)"
        )
        return self.as_sql(compiler, connection, template=template, **context)
