"""Attribution: the source of each event, derived from its visitor's arrivals.

An arrival is an event with a source: a campaign label, or a referrer from outside
the site that differs from the previous one in the same visit. The source of an event
is derived from the events of its visitor and day in each query, so that late events
and changed settings apply at once.

The derived columns of a fact are ids of contexts: `last` and `first`, of the latest
and of the first arrival up to and including the event, DIRECT without one; and one
for each label of the visitor (OWN): the context of the event or, if it lacks the
label, the latest one that has it. `entry_path` is the id of the name of the first page
view of the event's visit, 0 without one. `visit_number` is the number of the visit on
the visitor's day, from 1, and `visit_began` the second of its first event.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from django.db import connection

from analytics.events import event_filters
from analytics.events.contexts import DIRECT, Contexts
from analytics.events.event_filters import Compiled
from analytics.events.lookups import one_of, one_of_texts
from analytics.events.spans import Span
from analytics.events.visit_ends import SILENCE_SECONDS, second
from analytics.models import Adjustment, Context, Event, EventName, EventType, Fact
from analytics.questions.labels import ENTRY_PATH, OWN, Filters, Labels, Where
from analytics.questions.periods import Days

_EVENTS, _ADJUSTMENTS, _CONTEXTS, _NAMES = (
    model._meta.db_table for model in (Event, Adjustment, Context, EventName)
)
_NAMES_SQL = f"SELECT id, name FROM {_NAMES} WHERE site_id = %s"  # noqa: S608 - a constant
# Packs the position of a visitor's event and an id into one integer, so that MAX finds
# the latest. 2**27 events a visitor and day, 2**36 contexts.
BITS = 36
MASK = (1 << BITS) - 1
# With more names than this, which are at least a tenth of the site's, whole days are
# read and not only their visitors, since most visitors have one of the names.
# PostgreSQL expects few of them, and looking up the events of each took twice as long
# as reading all.
_MANY_NAMES = 1_000
_BROAD = 10
_NAMES_UP_TO = f"""
SELECT COUNT(*) FROM (SELECT 1 FROM {_NAMES} WHERE site_id = %s LIMIT %s) AS names
"""  # noqa: S608 - a constant
# Added to a position, it makes a text of ten digits that sorts like the number.
_TEN_DIGITS = 10**9
_HAS_CAMPAIGN = " OR ".join(
    f"{label} <> ''"
    for label in Labels._fields
    if label.startswith("utm_") or label == "click_id"
)


class Attributed:
    """The facts of a site with their sources, as SQL."""

    def __init__(self, site_id: int, filters: Filters, contexts: Contexts) -> None:
        self.site_id = site_id
        self.filters = filters
        self.contexts = contexts

    def column(self, label: str) -> str:
        """The column with the context, or the name, of a fact's label."""
        attribution = self.filters.attribution
        if label == ENTRY_PATH:
            return label
        if attribution == "event":
            return "context_id"
        if label not in OWN:
            return attribution
        return label if self.contexts.lacks(label) else "context_id"

    def values(self, label: str, numbers: Iterable[int]) -> dict[int, str]:
        """The value of a label for each id of its column, `""` for none."""
        numbers = set(numbers)
        if label != ENTRY_PATH:
            return {pk: self.contexts.value(label, pk) for pk in numbers}
        condition, ids = one_of("id", numbers)
        with connection.cursor() as cursor:
            # Django would take longer to compile the statement than it runs.
            cursor.execute(f"{_NAMES_SQL} AND {condition}", [self.site_id, ids])
            return {0: "", **dict(cursor.fetchall())}

    def select(
        self,
        facts: type[Fact],
        span: Span,
        *,
        columns: Iterable[str],
        carried: Sequence[str],
        name_ids: Collection[int] | None,
    ) -> Compiled:
        """The selected columns of facts of these names that pass the filters.

        `columns` are results of `column`, `carried` the fact's own columns; `name_ids`
        None: all names. A refund has the source of the refunded event.
        """
        condition, params = self._condition()
        columns = list(dict.fromkeys(columns))
        needed = {*columns, *self._filtered()} - {"context_id"}
        looked_at = event_filters.columns(self._of_events())
        # A refund has no properties of its own.
        is_own = facts is not Adjustment or "props" not in looked_at
        if not needed and is_own:
            own, own_params = _of("made", self.site_id, span, name_ids)
            before, before_params = self._before("made")
            chosen = ", ".join(f"made.{name}" for name in (*columns, *carried))
            return (
                f"SELECT {chosen} FROM {facts._meta.db_table} AS made"  # noqa: S608 - constants
                f" WHERE {own}{before} AND {condition}",
                [*own_params, *before_params, *params],
            )
        if facts is Adjustment:
            return self._refunds(
                span, needed, columns, carried, name_ids, (condition, params)
            )
        names = None if self._is_broad(name_ids, span) else name_ids
        scope = _visitors_of(self.site_id, span, names)
        made, made_params = self._made(
            scope, needed, {*carried, *looked_at}, is_each=span.is_each
        )
        own, own_params = self._before("made")
        if name_ids is not None:
            named, ids = one_of("made.name_id", name_ids)
            own, own_params = f"{own} AND {named}", [*own_params, ids]
        chosen = ", ".join(f"made.{name}" for name in (*columns, *carried))
        return (
            f"SELECT {chosen} FROM ({made}) AS made WHERE {condition}{own}",  # noqa: S608 - constants
            [*made_params, *params, *own_params],
        )

    def _is_broad(self, name_ids: Collection[int] | None, span: Span) -> bool:
        """Whether most visitors of the days may have one of these names."""
        if name_ids is None or span.is_of_some_visitors:
            return False
        if len(name_ids) <= _MANY_NAMES:
            return False
        limit = _BROAD * len(name_ids)
        with connection.cursor() as cursor:
            cursor.execute(_NAMES_UP_TO, [self.site_id, limit + 1])
            ((number,),) = cursor.fetchall()
        return bool(number <= limit)

    def walks(
        self,
        span: Span,
        name_ids: Collection[int],
        *,
        columns: Iterable[str] = (),
        carried: Sequence[str],
    ) -> Compiled:
        """All events of the visitors who have one of these names, in whole days.

        With the selected columns, and with `passes`: 1 if an event has one of the names
        and passes the filters. `carried` may contain `n`, the number of the event on
        the visitor's day, `visit`, which is the same in one visit, and `arrival`, which
        is not NULL for an arrival.
        """
        condition, params = self._condition()
        named, ids = one_of("made.name_id", name_ids)
        columns = list(dict.fromkeys(columns))
        made, made_params = self._made(
            _visitors_of(self.site_id, span, name_ids),
            {*columns, *self._filtered()} - {"context_id"},
            {*carried, *event_filters.columns(self._of_events())},
            is_each=span.is_each,
        )
        chosen = ", ".join(f"made.{name}" for name in (*carried, *columns))
        return (
            f"""
            SELECT {chosen},
                CASE WHEN {named} AND {condition} THEN 1 ELSE 0 END AS passes
            FROM ({made}) AS made
            """,  # noqa: S608 - constants
            [ids, *params, *made_params],
        )

    def numbers_of(
        self, day_of: Mapping[int, date], columns: Collection[str]
    ) -> dict[int, dict[str, int]]:
        """These columns of some events, by their ids and days."""
        columns = list(columns)
        days = Days(min(day_of.values()), max(day_of.values()))
        span, ends = Span(days).of("event")
        of_facts, _ = Span(days).of("fact")
        chosen, ids = one_of("fact.id", list(day_of))
        scope = (
            f"{span} AND (event.day, event.visitor) IN"  # noqa: S608 - constants
            f" (SELECT fact.day, fact.visitor FROM {_EVENTS} AS fact"
            f" WHERE fact.site_id = %s AND {of_facts} AND {chosen})"
        )
        made, params = self._made(
            (scope, [*ends, self.site_id, *ends, ids]), columns, ()
        )
        wanted, _ = one_of("made.id", [])
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT id, {', '.join(columns)} FROM ({made}) AS made WHERE {wanted}",  # noqa: S608 - constants
                [*params, ids],
            )
            return {pk: dict(zip(columns, row, strict=True)) for pk, *row in cursor}

    def _refunds(
        self,
        span: Span,
        needed: Collection[str],
        columns: Sequence[str],
        carried: Sequence[str],
        name_ids: Collection[int] | None,
        condition: Compiled,
    ) -> Compiled:
        own, own_params = _of("fact", self.site_id, span, name_ids)
        before, before_params = self._before("fact")
        own, own_params = f"{own}{before}", [*own_params, *before_params]
        refunded = f"""
            FROM {_ADJUSTMENTS} AS fact
            JOIN {_EVENTS} AS origin ON origin.site_id = fact.site_id
                AND origin.event_id = fact.refund_of
            WHERE origin.site_id = %s AND {own}
        """
        scope = (
            "(event.day, event.visitor) IN"
            f" (SELECT origin.day, origin.visitor {refunded})"
        )
        made, made_params = self._made(
            (scope, [self.site_id, *own_params]),
            needed,
            event_filters.columns(self._of_events()),
        )
        chosen = ", ".join(
            [*(f"made.{name}" for name in columns), *(f"fact.{c}" for c in carried)]
        )
        orphans, orphan_params = self._orphans(
            (own, own_params), needed, (*columns, *carried), condition
        )
        return (
            f"""
            SELECT {chosen} FROM (
                SELECT fact.*, origin.id AS origin_id {refunded}
            ) AS fact
            JOIN ({made}) AS made ON made.id = fact.origin_id
            WHERE {condition[0]}
            UNION ALL {orphans}
            """,  # noqa: S608 - constants
            [self.site_id, *own_params, *made_params, *condition[1], *orphan_params],
        )

    def _orphans(
        self,
        own: Compiled,
        needed: Collection[str],
        chosen: Iterable[str],
        condition: Compiled,
    ) -> Compiled:
        """Refunds of deleted events, whose sources are stored with the refund."""
        columns = "".join(f", {of_gone(name, 'fact')} AS {name}" for name in needed)
        return (
            f"""
            SELECT {", ".join(f"made.{name}" for name in chosen)} FROM (
                SELECT fact.*{columns} FROM {_ADJUSTMENTS} AS fact
                WHERE {own[0]} AND NOT EXISTS (
                    SELECT 1 FROM {_EVENTS} AS origin WHERE origin.site_id = %s
                    AND origin.event_id = fact.refund_of
                )
            ) AS made WHERE {condition[0]}
            """,  # noqa: S608 - constants
            [*own[1], self.site_id, *condition[1]],
        )

    def _made(
        self,
        scope: Compiled,
        needed: Collection[str],
        carried: Iterable[str],
        *,
        is_each: bool = False,
    ) -> Compiled:
        """All events of some visitors and days, with the needed columns.

        The scope must contain whole days of visitors, since later steps use previous
        events. `is_each`: the scope is one day, so PostgreSQL need not sort by day.
        """
        inside, hosts = one_of_texts("referrer", self.contexts.inside())
        own = [label for label in OWN if label in needed]
        has = "".join(f", {label} <> '' AS has_{label}" for label in own)
        carried = {"name_id", *carried}.difference(_STEP)
        more = "".join(f", event.{name}" for name in sorted(carried))
        named, of_names = "", list[Any]()
        if ENTRY_PATH in needed:
            more += ", CASE WHEN names.type = %s THEN event.name_id END AS view"
            named = (
                f"JOIN {_NAMES} AS names ON names.site_id = event.site_id"
                " AND names.id = event.name_id"
            )
            of_names = [EventType.PAGEVIEW.value]
        moment = second("event.at")
        whose = "visitor" if is_each else "day, visitor"
        path = f"path AS (PARTITION BY {whose} ORDER BY at, id)"
        binary = "C" if connection.vendor == "postgresql" else "BINARY"
        # The windows of all steps have one order, so PostgreSQL sorts once. The latest
        # referrer is stored as text after the position of its event, because a join
        # would lose the order.
        sql = f"""
            WITH moves AS (
                SELECT event.id, event.day, event.visitor, event.at, event.context_id,
                    own.referrer,
                    CASE WHEN {_HAS_CAMPAIGN} THEN 2
                        WHEN referrer <> '' AND NOT {inside} THEN 1 ELSE 0
                    END AS kind {has} {more},
                    ROW_NUMBER() OVER path AS n,
                    {moment} - LAG({moment}) OVER path AS silence
                FROM {_EVENTS} AS event JOIN {_CONTEXTS} AS own
                    ON own.site_id = event.site_id AND own.id = event.context_id
                    {named}
                WHERE event.site_id = %s AND {scope[0]}
                WINDOW path AS (
                    PARTITION BY event.day, event.visitor ORDER BY event.at, event.id
                )
            ), steps AS (
                SELECT moves.*,
                    MAX(CASE WHEN silence IS NULL OR silence > {SILENCE_SECONDS}
                        THEN n END) OVER path AS visit,
                    MAX(CASE WHEN kind > 0 THEN
                        (CAST(n + {_TEN_DIGITS} AS text) || referrer) COLLATE "{binary}"
                    END) OVER (
                        path ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                    ) AS candidate
                FROM moves WINDOW {path}
            ), arrivals AS (
                SELECT steps.*, CASE WHEN kind = 2 OR kind = 1 AND (
                    candidate IS NULL
                    OR CAST(SUBSTR(candidate, 1, 10) AS bigint) < visit + {_TEN_DIGITS}
                    OR SUBSTR(candidate, 11) <> referrer COLLATE "{binary}"
                ) THEN (n << {BITS}) | context_id END AS arrival
                FROM steps
            )
            SELECT {", ".join(["arrivals.*", *_found(needed, whose)])}
            FROM arrivals WINDOW {path}
        """  # noqa: S608 - constants
        return sql, [hosts, *of_names, self.site_id, *scope[1]]

    def _before(self, alias: str) -> Compiled:
        """Whether a fact happened before the moment that ends the last day."""
        until = self.filters.until
        if until is None:
            return "", []
        at = connection.ops.adapt_datetimefield_value(until)
        return f" AND {alias}.at < %s", [at]

    def _filtered(self) -> set[str]:
        return {
            self.column(where.label)
            for where in self.filters.where
            if not where.is_of_events
        }

    def _of_events(self) -> list[Where]:
        return [where for where in self.filters.where if where.is_of_events]

    def _condition(self) -> Compiled:
        """Whether a fact passes, by the columns of `made`."""
        by_column: dict[str, list[Where]] = {}
        parts, params = ["1 = 1"], list[Any]()
        for where in self.filters.where:
            if where.is_of_events or where.label == ENTRY_PATH:
                part, more = event_filters.condition(self.site_id, where)
                parts.append(part)
                params += more
            else:
                by_column.setdefault(self.column(where.label), []).append(where)
        for column, wheres in by_column.items():
            part, ids = one_of(f"made.{column}", self.contexts.passing(wheres))
            parts.append(part)
            params.append(ids)
        return " AND ".join(parts), params


def of_gone(column: str, alias: str) -> str:
    """A column of a refund whose event was deleted, see `events.refund_origins`.

    As SQL over refunds by their alias.
    """
    if column == ENTRY_PATH:
        return f"COALESCE({alias}.entry_id, 0)"
    if column == "context_id":
        return f"{alias}.context_id"
    attribution = "first" if column == "first" else "last"
    return f"COALESCE({alias}.{attribution}_context_id, {alias}.context_id)"


def _found(needed: Collection[str], whose: str) -> list[str]:
    """The needed columns, as SQL over `arrivals` and its window `path`.

    `whose` are the columns that identify a visitor and day.
    """
    found = [
        f"COALESCE({pick}(arrival) OVER path & {MASK}, {DIRECT}) AS {name}"
        for name, pick in (("last", "MAX"), ("first", "MIN"))
        if name in needed
    ] + [
        f"""COALESCE(
            MAX(CASE WHEN has_{label} THEN (n << {BITS}) | context_id END)
            OVER path & {MASK}, context_id) AS {label}"""
        for label in OWN
        if label in needed
    ]
    of_visit = f"OVER (PARTITION BY {whose}, visit)"
    of_visits = {
        ENTRY_PATH: f"COALESCE(MIN((n << {BITS}) | view) {of_visit} & {MASK}, 0)",
        "visit_number": f"DENSE_RANK() OVER (PARTITION BY {whose} ORDER BY visit)",
        "visit_began": f"MIN({second('at')}) {of_visit}",
    }
    return [*found, *(f"{of_visits[c]} AS {c}" for c in of_visits if c in needed)]


# Columns that each step contains.
_STEP = ("id", "day", "visitor", "at", "context_id", "n", "visit", "arrival")


def _of(
    alias: str, site_id: int, span: Span, name_ids: Collection[int] | None
) -> Compiled:
    """The facts of some names: a condition over a table by its alias."""
    days, params = span.of(alias)
    sql, params = f"{alias}.site_id = %s AND {days}", [site_id, *params]
    if name_ids is not None:
        named, ids = one_of(f"{alias}.name_id", name_ids)
        sql, params = f"{sql} AND {named}", [*params, ids]
    return sql, params


def _visitors_of(
    site_id: int, span: Span, name_ids: Collection[int] | None
) -> Compiled:
    """Whole days of visitors who have an event of these names: over `event`."""
    days, params = span.of("event")
    if name_ids is None or span.is_of_some_visitors:
        # For a few visitors, a search for the names in the whole day would cost more.
        return days, params
    own, own_params = _of("fact", site_id, span, name_ids)
    visitors = f"SELECT fact.day, fact.visitor FROM {_EVENTS} AS fact WHERE {own}"  # noqa: S608 - constants
    return (
        f"{days} AND (event.day, event.visitor) IN ({visitors})",
        [*params, *own_params],
    )
