"""Facts as they are stored, for copies of a site: read by day, written with ids.

`events.append` stores new events. Here existing events are copied, without limits,
checks for repeated ids, or notes of late events.
"""

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import connection, models, transaction
from django.db.models import Max, Min

from analytics.events.dictionaries import CONTEXTS, NAMES, Dimension, Key
from analytics.events.writing import NewEvent, encoder, insert, lock_sites
from analytics.models import Adjustment, Context, Event, EventName, Fact
from analytics.questions.labels import Labels

_CHUNK = 2_000


class Row(NamedTuple):
    """A fact with ids of its site's dictionaries.

    The fields from `refund_of` on are only those of refunds (see `Adjustment`).
    """

    day: date
    at: datetime
    name_id: int
    visitor: int
    context_id: int
    page_id: int | None
    amount: int | None
    currency: str | None
    props: dict[str, Any] | None
    event_id: str | None
    refund_of: str | None = None
    last_context_id: int | None = None
    first_context_id: int | None = None
    entry_id: int | None = None


_OF_EVENTS = Row._fields[: Row._fields.index("refund_of")]


class Ends(NamedTuple):
    """The last ids of a site in each table, 0 for none."""

    events: int
    refunds: int
    names: int
    contexts: int


def ends(site_id: int) -> Ends:
    """Call it within the site's lock: then all lower ids are committed."""
    return Ends(
        *(_last(table, site_id) for table in (Event, Adjustment, EventName, Context))
    )


def _last(table: type[models.Model], site_id: int) -> int:
    found = table._default_manager.filter(site_id=site_id).order_by()
    return found.aggregate(last=Max("pk"))["last"] or 0


def days(facts: type[Fact], site_id: int, *, first: date = date.min) -> Iterator[date]:
    """The days with facts, ascending, with one index lookup for each."""
    found = facts._default_manager.filter(site_id=site_id, day__gte=first).order_by()
    day = found.aggregate(day=Min("day"))["day"]
    while day is not None:
        yield day
        day = found.filter(day__gt=day).aggregate(day=Min("day"))["day"]


def rows(
    facts: type[Fact], site_id: int, day: date, *, after: int = 0, last: int
) -> Iterator[tuple[int, Row]]:
    """The facts of a day with ids above `after` and up to `last`, in their order."""
    fields = Row._fields if facts is Adjustment else _OF_EVENTS
    found = facts._default_manager.filter(
        site_id=site_id, day=day, pk__gt=after, pk__lte=last
    )
    for pk, *values in (
        found.order_by("pk").values_list("pk", *fields).iterator(chunk_size=_CHUNK)
    ):
        yield pk, Row(*values)


class Places:
    """The positions of ids in a dictionary of a site."""

    def __init__(self, table: type[models.Model], site_id: int, *, last: int) -> None:
        found = table._default_manager.filter(site_id=site_id, pk__lte=last)
        ids = found.order_by("pk").values_list("pk", flat=True)
        self._ids = array("q", ids.iterator(chunk_size=_CHUNK))

    def place(self, pk: int) -> int:
        return bisect_left(self._ids, pk)

    def at(self, place: int) -> int:
        """Raises IndexError."""
        if place < 0:
            raise IndexError
        return int(self._ids[place])


def names(
    site_id: int, *, after: int = 0, last: int
) -> Iterator[tuple[int, tuple[str, str]]]:
    """Each (type, name) of a site by its id, for ids above `after` and up to `last`."""
    found = EventName.objects.filter(site_id=site_id, pk__gt=after, pk__lte=last)
    rows = found.order_by("pk").values_list(*_NAME)
    for pk, type, name in rows.iterator(chunk_size=_CHUNK):
        yield pk, (type, name)


def contexts(
    site_id: int, *, after: int = 0, last: int
) -> Iterator[tuple[int, Labels]]:
    """The same for labels."""
    found = Context.objects.filter(site_id=site_id, pk__gt=after, pk__lte=last)
    rows = found.order_by("pk").values_list("pk", *Labels._fields)
    for pk, *values in rows.iterator(chunk_size=_CHUNK):
        yield pk, Labels(*values)


def ids_of_names(site_id: int, wanted: Sequence[tuple[str, str]]) -> list[int]:
    """The ids of these names, in their order; missing names are inserted."""
    return _ids(NAMES, [(site_id, values) for values in wanted])


def ids_of_contexts(site_id: int, wanted: Sequence[Labels]) -> list[int]:
    """The same for labels."""
    return _ids(CONTEXTS, [(site_id, values) for values in wanted])


def _ids(dimension: Dimension, keys: Sequence[Key]) -> list[int]:
    with transaction.atomic():
        lock_sites(sorted({site_id for site_id, _ in keys}))
        found = dimension.known(set(keys))
        # Not a set, so that ids ascend in the order of the keys.
        found |= dimension.made([key for key in keys if key not in found])
    return [found[key] for key in keys]


def texts_of_names(site_id: int, ids: Collection[int]) -> dict[int, tuple[str, str]]:
    """The (type, name) of names by their ids."""
    found = EventName.objects.filter(site_id=site_id, pk__in=ids)
    return {pk: (type, name) for pk, type, name in found.values_list(*_NAME)}


_NAME = ("pk", "type", "name")


def labels_of(site_id: int, ids: Collection[int]) -> dict[int, Labels]:
    """The labels of contexts by their ids."""
    found = Context.objects.filter(site_id=site_id, pk__in=ids)
    return {
        pk: Labels(*values) for pk, *values in found.values_list("pk", *Labels._fields)
    }


def ids_there(
    facts: type[Fact], site_id: int, keys: Iterable[tuple[date, int]]
) -> set[int]:
    """Which of these (day, id) exist on the site."""
    by_day: dict[date, list[int]] = {}
    for day, pk in keys:
        by_day.setdefault(day, []).append(pk)
    there: set[int] = set()
    for day, ids in by_day.items():
        found = facts._default_manager.filter(site_id=site_id, day=day, pk__in=ids)
        there.update(found.order_by().values_list("pk", flat=True))
    return there


def store_events(site_id: int, batch: Iterable[Row]) -> None:
    """Write events as they are.

    Call it in a transaction that has the site's lock.
    """
    insert(_encoded(site_id, batch))


def store_refunds(site_id: int, batch: Iterable[Row]) -> None:
    """The same for refunds."""
    Adjustment.objects.bulk_create(
        Adjustment(site_id=site_id, **row._asdict()) for row in batch
    )


def store_with_ids(
    facts: type[Fact], site_id: int, batch: Sequence[tuple[int, Row]]
) -> None:
    """The same for either, with their former ids. Raises IntegrityError."""
    if facts is Adjustment:
        Adjustment.objects.bulk_create(
            Adjustment(pk=pk, site_id=site_id, **row._asdict()) for pk, row in batch
        )
    else:
        rows = _encoded(site_id, (row for _, row in batch))
        insert(rows, ids=[pk for pk, _ in batch])


def _encoded(site_id: int, batch: Iterable[Row]) -> Iterator[Any]:
    encode = encoder()
    for row in batch:
        event = NewEvent(
            site_id=site_id,
            day=row.day,
            at=row.at,
            type="",
            name="",
            visitor=row.visitor,
            amount=row.amount,
            currency=row.currency,
            props=row.props,
            event_id=row.event_id,
        )
        yield encode(event, row.name_id, row.context_id, row.page_id)


def skip_ids(site_id: int) -> None:
    """On PostgreSQL, give later facts ids above the restored ones."""
    if connection.vendor != "postgresql":
        return
    for facts in (Event, Adjustment):
        table = facts._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_get_serial_sequence(%s, 'id')::regclass::text", [table]
            )
            (sequence,) = cursor.fetchone()
            cursor.execute(
                f"SELECT setval(%s, GREATEST(%s, (SELECT last_value FROM {sequence})))",  # noqa: S608 - a name that PostgreSQL told
                [sequence, _last(facts, site_id) or 1],
            )
