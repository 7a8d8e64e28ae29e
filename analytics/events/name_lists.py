"""The names that a site has sent, with their events, visitors and days."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Count, Max, Min

from analytics.events import seals
from analytics.events.by_question import daily
from analytics.events.closed_sums import ClosedSum, State
from analytics.events.counts import Counts
from analytics.events.dictionaries import digest_of
from analytics.events.lookups import one_of
from analytics.events.name_sums import NameSums, Numbers
from analytics.events.selection import Selection
from analytics.events.statements import Compiled, around, as_day, day_by_day, union
from analytics.models import Event, EventName, EventType, NameDay
from analytics.questions.periods import Days, each_day
from analytics.recent import Recent

# The orders of a list. Equal names are in the order in which they were first sent.
ORDERS = ("-events", "-visitors", "name")

# Names held in memory for all sites and periods together: about 200 bytes each.
MAX_NAMES = 200_000
_sums: Recent[tuple[int, Days], ClosedSum[NameSums]] = Recent(
    MAX_NAMES, lambda key: ClosedSum()
)

_NAMES, _KEPT, _EVENTS = (model._meta.db_table for model in (EventName, NameDay, Event))


class SentName(NamedTuple):
    """A name with its numbers; `digest` is that of its type and name."""

    pk: int
    digest: bytes
    type: str
    name: str
    events: int
    visitors: int


def keep_name_days(site_id: int, days: Days) -> None:
    """Count the names of these days, and replace their rows of NameDay.

    Call it in the transaction that notes the days as counted.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {_KEPT} WHERE site_id = %s AND day BETWEEN %s AND %s",  # noqa: S608 - a constant
            [site_id, *_texts(days)],
        )
        sql, params = _counted(Selection(site_id, *days), "day, name")
        cursor.execute(
            f"INSERT INTO {_KEPT} (site_id, day, name_id, events, visitors)"  # noqa: S608 - constants
            f" SELECT {int(site_id)}, counted.* FROM ({sql}) AS counted",
            params,
        )


def wrong_name_days(site_id: int, days: Days) -> dict[date, int]:
    """The number of names by day whose stored counts differ from a recount."""
    counted, params = _counted(Selection(site_id, *days), "day, name")
    kept = (
        f"SELECT day, name_id, events, visitors FROM {_KEPT}"  # noqa: S608 - a constant
        " WHERE site_id = %s AND day BETWEEN %s AND %s"
    )
    of_kept: list[Any] = [site_id, *_texts(days)]
    counted = f"SELECT * FROM ({counted}) AS counted"  # noqa: S608 - compiled
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT day, COUNT(DISTINCT name_id) FROM (
                SELECT * FROM ({kept} EXCEPT {counted}) AS gone
                UNION ALL
                SELECT * FROM ({counted} EXCEPT {kept}) AS come
            ) AS wrong GROUP BY day
            """,  # noqa: S608 - constants
            [*of_kept, *params, *params, *of_kept],
        )
        return {as_day(day): number for day, number in cursor}


def names_sent(
    site_id: int,
    days: Days,
    *,
    unkept: Sequence[Days],
    closed: Days | None = None,
    state: State | None = None,
    type: str | None = None,
    search: str | None = None,
    without: Collection[int] = (),
    order: str,
    after: tuple[int, int] | None = None,
    limit: int,
) -> list[SentName]:
    """The names that had events on these days, in an order of ORDERS.

    `unkept`: those of the days that are not in NameDay; their names are counted.
    All `closed` days are in NameDay and have this state; their sums are cached.
    `search`: a part of the name, ASCII letters in either case. `without`: ids of
    names that are left out. `after`: the last one's `name_place`.
    """
    selection = Selection(site_id, *days)
    sums = None
    if closed and state and not type and not search and order != "name":
        sums = _closed_names(selection.within(closed), state)
    if sums:
        more = _open_names(selection, unkept)
        numbers = sums.first(more, order, without=without, after=after, limit=limit)
        return _named(site_id, numbers)
    statement = around(
        name_numbers(selection, unkept),
        ("name_id", "events", "visitors"),
        *_listed(site_id, type, search, without, order, after, limit),
    )
    with connection.cursor() as cursor:
        cursor.execute(*statement)
        return [
            SentName(pk, bytes(digest), type, name, events, visitors)
            for pk, digest, type, name, events, visitors in cursor
        ]


def _closed_names(selection: Selection, state: State) -> NameSums | None:
    """The sums of closed days; None if the names are too many to remember."""
    key = (selection.site_id, selection.days)
    held = _sums.recall([key])[key]
    known = held.at(state)
    if known is None:
        names = EventName.objects.filter(site_id=selection.site_id)
        most = MAX_NAMES // 2
        if names[: most + 1].count() > most:
            return None
        known = NameSums(_summed(name_numbers(selection, [])))
        held.set(state, known)
        _sums.settle([key])
    return known


def _open_names(selection: Selection, unkept: Iterable[Days]) -> Numbers:
    statements = [_counted(selection.within(stretch), "name") for stretch in unkept]
    if not statements:
        return {}
    parts = ((f"SELECT * FROM ({sql}) AS part", p) for sql, p in statements)  # noqa: S608 - compiled
    return _summed(union(*parts))


def _summed(statement: Compiled) -> dict[int, tuple[int, int]]:
    sums = "CAST(SUM(events) AS bigint), CAST(SUM(visitors) AS bigint)"
    with connection.cursor() as cursor:
        cursor.execute(
            *around(
                statement,
                ("name_id", "events", "visitors"),
                f"SELECT name_id, {sums} FROM selected GROUP BY name_id",  # noqa: S608 - constants
                [],
            )
        )
        return {name_id: (events, visitors) for name_id, events, visitors in cursor}


def _named(site_id: int, numbers: Numbers) -> list[SentName]:
    """The names with these numbers, in their order."""
    found = EventName.objects.filter(site_id=site_id, pk__in=list(numbers))
    names = {
        pk: (bytes(digest), type, name)
        for pk, digest, type, name in found.values_list("pk", "digest", "type", "name")
    }
    return [
        SentName(pk, *names[pk], *counts)
        for pk, counts in numbers.items()
        # The events of this name were erased meanwhile.
        if pk in names
    ]


def forget() -> None:
    """Clear the memory of this process."""
    _sums.forget()


def name_numbers(selection: Selection, unkept: Iterable[Days]) -> Compiled:
    """The columns name, events, visitors: rows that are still to be summed by name.

    `unkept` must contain all days of a selection with filters, and a last day that ends
    early.
    """
    kept = "site_id = %s AND day BETWEEN %s AND %s"
    kept_values: list[Any] = [selection.site_id, *_texts(selection.days)]
    counted = []
    for stretch in unkept:
        # Stored rows of these days are no longer valid.
        kept += " AND NOT day BETWEEN %s AND %s"
        kept_values += _texts(stretch)
        sql, params = _counted(selection.within(stretch), "name")
        counted.append((f"SELECT * FROM ({sql}) AS counted", params))  # noqa: S608 - compiled
    return union(
        (
            f"SELECT name_id, events, visitors FROM {_KEPT} WHERE {kept}",  # noqa: S608 - constants
            kept_values,
        ),
        *counted,
    )


def name_place(name: SentName, order: str) -> tuple[int, int]:
    """The position of a name in a list: the number that sorts it, and its id."""
    number = {"-events": name.events, "-visitors": name.visitors}.get(order, 0)
    return number, name.pk


def _listed(
    site_id: int,
    type: str | None,
    search: str | None,
    without: Collection[int],
    order: str,
    after: tuple[int, int] | None,
    limit: int,
) -> Compiled:
    is_postgresql = connection.vendor == "postgresql"
    # Both databases sort by code point, and fold the case of ASCII letters only.
    collation = '"C"' if is_postgresql else "BINARY"
    conditions = ["names.site_id = %s"]
    values: list[Any] = [site_id]
    if type is not None:
        conditions.append("type = %s")
        values.append(type)
    if search is not None:
        find = "STRPOS" if is_postgresql else "INSTR"
        conditions.append(f"{find}(LOWER(name COLLATE {collation}), %s) > 0")
        values.append(_lower(search))
    numbers = "TRUE"
    of_numbers: list[Any] = []
    if order == "name":
        ordered = f"name COLLATE {collation}, names.id"
        if after is not None:
            last = f"(SELECT name FROM {_NAMES} WHERE site_id = %s AND id = %s)"  # noqa: S608 - a constant
            conditions.append(f"(name COLLATE {collation}, names.id) > ({last}, %s)")
            values += [site_id, after[1], after[1]]
    else:
        number = order.removeprefix("-")
        ordered = f"{number} DESC, name_id"
        if after is not None:
            numbers = f"({number} < %s OR {number} = %s AND name_id > %s)"
            of_numbers = [after[0], *after]
    if without:
        sql, ids = one_of("name_id", without)
        numbers += f" AND NOT ({sql})"
        of_numbers.append(ids)
    first = ""
    if len(conditions) == 1 and order != "name":
        # Only the names of these first rows are looked up.
        first = f"ORDER BY {ordered} LIMIT {int(limit)}"
    return (
        f"""
        SELECT name_id, digest, type, name, events, visitors
        FROM (
            SELECT * FROM (
                SELECT name_id, CAST(SUM(events) AS bigint) AS events,
                    CAST(SUM(visitors) AS bigint) AS visitors
                FROM selected GROUP BY name_id
            ) AS summed
            WHERE {numbers} {first}
        ) AS listed
        JOIN {_NAMES} AS names ON names.id = name_id
        WHERE {" AND ".join(conditions)}
        ORDER BY {ordered}
        LIMIT %s
        """,  # noqa: S608 - constants
        [*of_numbers, *values, limit],
    )


def _counted(selection: Selection, by: str) -> Compiled:
    """The columns `by`, events, visitors; `by` is the name, or the day and the name."""
    of_visitors = day_by_day(
        selection,
        # In the order of the covering index, which contains all columns.
        lambda events: (
            events.values("day", "name", "visitor")
            .annotate(times=Count("*"))
            .values_list("day", "name", "times")
        ),
    )
    return around(
        of_visitors,
        ("day", "name", "times"),
        f"SELECT {by}, CAST(SUM(times) AS bigint) AS events, COUNT(*) AS visitors"  # noqa: S608 - constants
        f" FROM selected GROUP BY {by}",
    )


def name_daily(site_id: int, name_id: int, days: Days) -> dict[date, Counts]:
    """The counts of a name by day; for sealed days the stored ones."""
    found: dict[date, Counts] = {}
    border = seals.border(site_id)
    first = days.first if border is None else max(days.first, border.before)
    if first > days.first:
        sealed = Days(days.first, min(days.last, first - timedelta(days=1)))
        rows = NameDay.objects.filter(
            # A list of days, because the index has the day before the name.
            site_id=site_id,
            day__in=list(each_day(sealed)),
            name_id=name_id,
        )
        for day, events, visitors in rows.values_list("day", "events", "visitors"):
            found[day] = Counts(events, visitors)
    if first <= days.last:
        found |= daily(Selection(site_id, first, days.last), [name_id])
    return found


class Seen(NamedTuple):
    first: date
    last: date


def seen(site_id: int, name_ids: Collection[int]) -> dict[int, Seen]:
    """The first and the last day on which each of these names had an event.

    A name without events is left out. One look into the covering index for each
    name and day, from both ends: a name of millions of events costs less than a rare
    one.
    """
    of_all = Event.objects.filter(site_id=site_id).aggregate(Min("day"), Max("day"))
    first, last = of_all["day__min"], of_all["day__max"]
    border = seals.border(site_id)
    sealed, sealed_values = "", list[Any]()
    if border is not None:
        first, last = border.first, last or border.before
        sealed = f", (SELECT 1 FROM {_KEPT} WHERE site_id = %s AND day = each.day"  # noqa: S608 - a constant
        sealed += " AND day < %s AND name_id = wanted.id LIMIT 1)"
        sealed_values = [site_id, border.before.isoformat()]
    if first is None:
        return {}
    # A subquery for a value: PostgreSQL would make EXISTS a join of everything.
    was_sent = f"""COALESCE((
        SELECT 1 FROM {_EVENTS}
        WHERE site_id = %s AND day = each.day AND name_id = wanted.id LIMIT 1
    ){sealed}, 0) = 1"""  # noqa: S608 - constants
    ends = ""
    values: list[Any] = []
    for start, end, step in ((first, last, 1), (last, first, -1)):
        ends += (
            f", (SELECT each.day FROM {_days_in_turn(step)} WHERE {was_sent} LIMIT 1)"  # noqa: S608 - constants
        )
        values += [*_texts(Days(start, end)), site_id, *sealed_values]
    if connection.vendor == "postgresql":
        ids = "UNNEST(%s::bigint[]) AS wanted (id)"
        wanted = f"{{{','.join(map(str, name_ids))}}}"
    else:
        ids = "(SELECT value AS id FROM JSON_EACH(%s)) AS wanted"
        wanted = f"[{','.join(map(str, name_ids))}]"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT wanted.id {ends} FROM {ids}", [*values, wanted])  # noqa: S608 - constants
        return {
            pk: Seen(as_day(first), as_day(last)) for pk, first, last in cursor if first
        }


def _days_in_turn(step: int) -> str:
    """SQL for the days between two parameters; those not read are not generated."""
    if connection.vendor == "postgresql":
        series = f"GENERATE_SERIES(%s::date, %s::date, INTERVAL '{step} day')"
        return f"(SELECT moment::date AS day FROM {series} AS moment) AS each"  # noqa: S608 - constants
    return f"""(
        WITH RECURSIVE each (day, last) AS (
            SELECT %s, %s UNION ALL
            SELECT DATE(day, '{step} day'), last FROM each WHERE day <> last
        ) SELECT day FROM each
    ) AS each"""  # noqa: S608 - constants


def name_of_digest(site_id: int, digest: bytes) -> tuple[int, str, str] | None:
    """The (id, type, name) with this digest."""
    names = EventName.objects.filter(site_id=site_id, digest=digest)
    return names.values_list("pk", "type", "name").first()


def types_of_name(site_id: int, name: str) -> dict[str, bytes]:
    """The types of which the site sent a name, with the digest of each."""
    by_digest = {digest_of((type, name)): type for type in EventType.values}
    names = EventName.objects.filter(site_id=site_id, digest__in=list(by_digest))
    there = {bytes(found) for found in names.values_list("digest", flat=True)}
    return {type: found for found, type in by_digest.items() if found in there}


def _lower(text: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def _texts(days: Days) -> list[str]:
    """Days as text: SQLite stores them so, and PostgreSQL can read them."""
    return [day.isoformat() for day in days]
