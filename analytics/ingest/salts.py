"""The random salts of visitor ids, and their destruction.

A salt belongs to a site and one of its days. It is valid until 47 hours after that day
began there, and is destroyed within the 48th hour, by any worker. Destroyed means that
no file of the database has its bytes any more (`analytics.rewriting`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from secrets import token_bytes
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Min, Q

from analytics import rewriting
from analytics.models import Site, SiteSalt
from krafter import clock, metrics

# Visitors are promised 48 hours. The last hour is the time to destroy the salt
# (`analytics.housekeeping`, every ten minutes).
LIFETIME = timedelta(hours=47)


class Salt(NamedTuple):
    """`ipv6_prefix`: the number of bits of an IPv6 address that identify a client."""

    value: bytes
    ipv6_prefix: int
    ends_at: datetime


_Key = tuple[int, date]

# By site and day. Bounded by the lifetime: `destroy` removes salts here and in the
# table.
_known: dict[_Key, Salt] = {}
# Random salts of past days, kept for one request.
_borrowed: ContextVar[dict[_Key, Salt] | None] = ContextVar("borrowed", default=None)


@dataclass(frozen=True)
class _Remember:
    """Called on commit; until then only the transaction uses the salt."""

    key: _Key
    salt: Salt

    def __call__(self) -> None:
        _known[self.key] = self.salt


def salt(site: Site, day: date) -> Salt:
    """Return the salt of a day of the site; it is created at the first call.

    The salt of a day that is over is random, is not stored, and stays the same only
    within `borrowing`.
    """
    key, now = (site.id, day), clock.now()
    found = _known.get(key)
    if found is not None and now < found.ends_at:
        return found
    ends_at = site.midnight(day) + LIFETIME
    if ends_at <= now:
        return _borrow(key, ends_at)
    # A salt of a transaction that is rolled back must not stay in memory: the same
    # visitor would get two ids.
    for entry in connection.run_on_commit:
        made = entry[1]
        if isinstance(made, _Remember) and made.key == key:
            return made.salt
    # Two workers may create it at once; the unique constraint keeps one.
    row, _ = SiteSalt.objects.get_or_create(
        site_id=site.pk,
        day=day,
        defaults={
            "value": token_bytes(16),
            "ipv6_prefix": settings.IPV6_PREFIX,
            "ends_at": ends_at,
        },
    )
    if row.ends_at <= now:
        # The site had another time zone when the day began.
        return _borrow(key, ends_at)
    made_now = _of(row)
    transaction.on_commit(_Remember(key, made_now))
    return made_now


@contextmanager
def borrowing() -> Iterator[None]:
    """Context manager: within it, past days have one random salt each."""
    token = _borrowed.set({})
    try:
        yield
    finally:
        _borrowed.reset(token)


def _borrow(key: _Key, ends_at: datetime) -> Salt:
    fresh = Salt(token_bytes(16), settings.IPV6_PREFIX, ends_at)
    borrowed = _borrowed.get()
    return fresh if borrowed is None else borrowed.setdefault(key, fresh)


def _of(row: SiteSalt) -> Salt:
    return Salt(bytes(row.value), row.ipv6_prefix, row.ends_at)


# Destruction


def destroy() -> int:
    """Destroy expired salts, in memory and in the table; return how many.

    Raises OperationalError if the table is locked all the time; then try again.
    """
    if not clock.is_steady():
        # A clock that jumped ahead would destroy today's salts.
        return 0
    now = clock.now()
    for key, known in list(_known.items()):
        if known.ends_at <= now:
            _known.pop(key, None)
    destroyed = rewriting.destroy(SiteSalt, Q(ends_at__lte=now))
    _agree()
    oldest = SiteSalt.objects.aggregate(Min("ends_at"))["ends_at__min"]
    metrics.OLDEST_SALT.set((oldest - LIFETIME).timestamp() if oldest else 0)
    return destroyed


def _agree() -> None:
    """Store salts again that a crash of PostgreSQL lost; take over stored ones.

    The table is unlogged, and so empty after a crash. Without this, visitors from
    before the crash would get new ids.
    """
    stored = {(row.site_id, row.day): _of(row) for row in SiteSalt.objects.all()}
    for key in _known.keys() & stored.keys():
        _known[key] = stored[key]
    SiteSalt.objects.bulk_create(
        [
            SiteSalt(site_id=site_id, day=day, **known._asdict())
            for (site_id, day), known in list(_known.items())
            if (site_id, day) not in stored
        ],
        batch_size=500,
        ignore_conflicts=True,
    )


def forget() -> None:
    """Forget the salts in memory; the table keeps them."""
    _known.clear()
    connection.run_on_commit = [
        entry
        for entry in connection.run_on_commit
        if not isinstance(entry[1], _Remember)
    ]
