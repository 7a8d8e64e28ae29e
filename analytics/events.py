"""The facts: the only module that reads or writes events and their dimensions.

Its functions are the seam for another engine. It knows sites by number and
events by value; what makes an event acceptable, and what counts as a
conversion, is decided elsewhere.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

import msgspec
from django.db import connection, models, transaction
from django.db.models import Count, Lookup, QuerySet, Sum
from django.db.models.fields.related import ForeignKey

from analytics.models import Context, Event, EventName, EventType

# Amounts are stored as whole ten-thousandths, the finest minor unit of ISO
# 4217: exact on every database (SQLite would keep a decimal as a float).
AMOUNT_SCALE = 10_000
# Keeps any sum of amounts within 64 bits, see `amounts`.
MAX_AMOUNT = Decimal(10) ** 12

_LOCK_CLASS = 0x6B72  # "kr": apart from other users of advisory locks


class Labels(NamedTuple):
    """The columns of Context, in its order; `""` where unknown."""

    referrer: str = ""
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    country: str = ""
    device: str = ""
    browser: str = ""
    os: str = ""


class NewEvent(NamedTuple):
    """An event that has passed every rule, ready to be stored."""

    site_id: int
    day: date
    at: datetime
    type: str
    name: str
    visitor: int
    labels: Labels = Labels()
    amount: int | None = None
    currency: str | None = None
    props: dict[str, Any] | None = None
    event_id: str | None = None


class Counts(NamedTuple):
    """`uniques`: distinct visitors of each day, summed over the days."""

    conversions: int
    uniques: int


def to_amount(revenue: Decimal) -> int:
    """Ten-thousandths, half to even: 0.1 + 0.2 of a page arrives as 0.3."""
    return round(revenue * AMOUNT_SCALE)


def from_amount(amount: int) -> Decimal:
    """The exact value, with as many decimals as it needs and at least two."""
    value = Decimal(amount).scaleb(-4)
    short = value.quantize(Decimal("0.01"))
    return short if short == value else value.normalize()


# Writing


def append(batch: Sequence[NewEvent]) -> list[bool]:
    """Store events in one transaction; whether each was new.

    One that repeats an `event_id` of its site is not stored again. All
    writers of a site take its lock first, so that ids of its events, names
    and contexts become visible in ascending order: a reader that has seen one
    id has seen all before it, and can go on from there.
    """
    with transaction.atomic():
        _lock_sites(sorted({event.site_id for event in batch}))
        is_new = _are_new(batch)
        fresh = [event for event, new in zip(batch, is_new, strict=True) if new]
        names = _NAMES.ids({(e.site_id, (e.type, e.name)) for e in fresh})
        contexts = _CONTEXTS.ids({(e.site_id, e.labels) for e in fresh})
        _insert(
            [
                (
                    event.site_id,
                    event.day,
                    event.at,
                    names[event.site_id, (event.type, event.name)],
                    event.visitor,
                    contexts[event.site_id, event.labels],
                    event.amount,
                    event.currency,
                    event.props and msgspec.json.encode(event.props).decode(),
                    event.event_id,
                )
                for event in fresh
            ]
        )
    return is_new


def _lock_sites(site_ids: list[int]) -> None:
    """Let one transaction at a time write to a site.

    SQLite has one writer anyway. Sorted, so that two batches cannot wait for
    each other.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(%s, site) FROM unnest(%s::int[]) site",
                [_LOCK_CLASS, site_ids],
            )


def _are_new(batch: Sequence[NewEvent]) -> list[bool]:
    wanted = defaultdict(set)
    for event in batch:
        if event.event_id is not None:
            wanted[event.site_id].add(event.event_id)
    seen = {
        (site_id, event_id)
        for site_id, event_ids in wanted.items()
        for event_id in Event.objects.filter(
            site_id=site_id, event_id__in=event_ids
        ).values_list("event_id", flat=True)
    }
    is_new = []
    for event in batch:
        key = (event.site_id, event.event_id)
        is_new.append(key not in seen)
        if event.event_id is not None:
            seen.add(key)
    return is_new


class _Dimension:
    """A table of distinct values of each site, and a memory of their ids."""

    # About 200 bytes an entry; emptied when full, which costs one read each.
    _MAX_REMEMBERED = 100_000

    def __init__(self, rows: models.Manager[Any], fields: Sequence[str]) -> None:
        self._rows = rows
        self._fields = fields
        self._remembered: dict[tuple[int, tuple[str, ...]], int] = {}

    def ids(
        self, keys: set[tuple[int, tuple[str, ...]]]
    ) -> dict[tuple[int, tuple[str, ...]], int]:
        """The id of each (site, values), made where there is none.

        Call it within the sites' lock.
        """
        found = {key: self._remembered[key] for key in keys if key in self._remembered}
        missing: dict[int, dict[bytes, tuple[str, ...]]] = defaultdict(dict)
        for site_id, values in keys - found.keys():
            missing[site_id][_digest(values)] = values
        for site_id, by_digest in missing.items():
            looked_up = self._look_up_or_make(site_id, by_digest)
            found |= looked_up
            # Only what is committed may be remembered.
            transaction.on_commit(partial(self._remember, looked_up))
        return found

    def _look_up_or_make(
        self, site_id: int, by_digest: dict[bytes, tuple[str, ...]]
    ) -> dict[tuple[int, tuple[str, ...]], int]:
        rows = self._rows.filter(
            site_id=site_id, digest__in=list(by_digest)
        ).values_list("digest", "pk")
        ids = {bytes(digest): pk for digest, pk in rows}
        made = self._rows.bulk_create(
            self._rows.model(
                site_id=site_id,
                digest=digest,
                **dict(zip(self._fields, values, strict=True)),
            )
            for digest, values in by_digest.items()
            if digest not in ids
        )
        ids |= {row.digest: row.pk for row in made}
        return {(site_id, values): ids[digest] for digest, values in by_digest.items()}

    def _remember(self, ids: dict[tuple[int, tuple[str, ...]], int]) -> None:
        if len(self._remembered) + len(ids) > self._MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered |= ids

    def forget(self) -> None:
        self._remembered.clear()


_NAMES = _Dimension(EventName.objects, ("type", "name"))
_CONTEXTS = _Dimension(Context.objects, Labels._fields)


def _digest(values: tuple[str, ...]) -> bytes:
    return hashlib.blake2b("\0".join(values).encode(), digest_size=16).digest()


def forget() -> None:
    """Drop the remembered ids: after a database was emptied or restored."""
    _NAMES.forget()
    _CONTEXTS.forget()


_COLUMNS = (
    "site_id, day, at, name_id, visitor, context_id, amount, currency, props, event_id"
)


def _insert(rows: list[tuple[Any, ...]]) -> None:
    table = Event._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({_COLUMNS}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        adapt = connection.ops.adapt_datetimefield_value
        cursor.executemany(
            f"INSERT INTO {table} ({_COLUMNS}) VALUES"  # noqa: S608 - two constants
            " (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [(row[0], row[1].isoformat(), adapt(row[2]), *row[3:]) for row in rows],
        )


# Reading


@ForeignKey.register_lookup
class OneOf(Lookup):
    """`column__one_of=[ids]` with one parameter, however many ids.

    SQLite allows 32,766 parameters a statement; a site may have more names.
    """

    lookup_name = "one_of"
    prepare_rhs = False

    def get_prep_lookup(self) -> list[int]:
        return list(self.rhs)

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        column, params = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s)", [*params, self.rhs]

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        column, params = self.process_lhs(compiler, connection)
        ids = msgspec.json.encode(self.rhs).decode()
        some = "(SELECT value FROM json_each(%s))"
        return f"{column} IN {some}", [*params, ids]


def names(site_id: int, type: str) -> Iterator[tuple[int, str]]:
    """Every (id, name) of that type which the site has ever sent, oldest first."""
    return (
        EventName.objects.filter(site_id=site_id, type=type)
        .order_by("pk")
        .values_list("pk", "name")
        .iterator(chunk_size=10_000)
    )


def named(site_id: int, name: str, *, types: Iterable[str]) -> list[tuple[int, str]]:
    """The (id, name) of the given types that equal `name`, by the index."""
    digests = [_digest((type, name)) for type in types]
    rows = EventName.objects.filter(site_id=site_id, digest__in=digests)
    return list(rows.values_list("pk", "name"))


def _between(site_id: int, first: date, last: date) -> QuerySet[Event]:
    return Event.objects.filter(site_id=site_id, day__range=(first, last)).order_by()


def count(site_id: int, name_ids: Iterable[int], *, first: date, last: date) -> Counts:
    """How often events of these names happened, from `first` to `last`, both in."""
    totals = (
        _between(site_id, first, last)
        .filter(name__one_of=name_ids)
        .values("day", "visitor")
        .annotate(times=Count("*"))
        .aggregate(conversions=Sum("times"), uniques=Count("*"))
    )
    return Counts(totals["conversions"] or 0, totals["uniques"])


def amounts(
    site_id: int, name_ids: Iterable[int], *, first: date, last: date
) -> dict[str | None, Decimal]:
    """Exact sums of the amounts of these events by currency, None for no code."""
    # Summed in two halves: SQLite's SUM fails where it leaves 64 bits, and
    # anyone may send large amounts.
    half = 1 << 32
    rows = (
        _between(site_id, first, last)
        .filter(name__one_of=name_ids, amount__isnull=False)
        .values("currency")
        .annotate(
            high=Sum(models.F("amount") / half), low=Sum(models.F("amount") % half)
        )
        .values_list("currency", "high", "low")
    )
    return {
        currency: Decimal(int(high) * half + int(low)).scaleb(-4)
        for currency, high, low in rows
    }


def listing(
    site_id: int,
    *,
    type: str | None = None,
    name: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    before: tuple[datetime, int] | None = None,
    limit: int,
) -> list[Event]:
    """Events newest first, with names and contexts; `start` in, `end` out.

    `before`: (at, id) of the last event already seen.
    """
    found = Event.objects.filter(site_id=site_id).select_related("name", "context")
    if name is not None:
        types = [type] if type else EventType.values
        ids = [pk for pk, _ in named(site_id, name, types=types)]
        found = found.filter(name__one_of=ids)
    elif type is not None:
        found = found.filter(name__type=type)
    if start is not None:
        found = found.filter(at__gte=start)
    if end is not None:
        found = found.filter(at__lt=end)
    if before is not None:
        at, pk = before
        found = found.filter(models.Q(at=at, pk__lt=pk) | models.Q(at__lt=at))
    return list(found.order_by("-at", "-pk")[:limit])
