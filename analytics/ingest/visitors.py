"""Who is the same visitor, without knowing who it is.

Only this module, `client_address` and `country` see IP addresses. This one returns
a hash with a random salt that lives at most 48 hours; neither the address nor the
user agent can be recovered from what is stored.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from secrets import token_bytes

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Min

from analytics.ingest import client_address
from analytics.models import Salt, Site
from krafter import clock, metrics

# Of the 48 hours that were promised, one is left to whoever destroys it
# (`analytics.housekeeping`, every hour).
SALT_LIFETIME = timedelta(hours=47)

# (zone, day) -> (salt, when it was made). Bounded by the lifetime: `_salt`
# drops what has outlived it, so that memory forgets when the table does.
_salts: dict[tuple[str, date], tuple[bytes, datetime]] = {}


@lru_cache(maxsize=8_192)
def caller(address: str, minute: int) -> str:
    """A name for a client in a rate limit's table, good for one minute.

    Keyed and tied to the minute: the table cannot tell who came back.
    """
    message = f"{minute} {client_address.household(address)}".encode()
    return (
        "ip:" + hmac.digest(settings.SECRET_KEY.encode(), message, "sha256").hex()[:40]
    )


def visitor(site: Site, day: date, *, address: str, user_agent: str) -> int:
    """The visitor of that day on that site, as a signed 64-bit number."""
    who = f"{site.pk}\0{client_address.household(address)}\0{user_agent}".encode()
    digest = hashlib.sha256(_salt(site.timezone, day) + who).digest()
    return int.from_bytes(digest[:8], signed=True)


def known_visitor(site: Site, day: date, visitor_id: str) -> int:
    """The visitor whom a server-side caller names itself.

    No salt: a backfill that is repeated after the salt is gone must come out
    the same. Keyed, and bound to the day like every other visitor.
    """
    message = f"{site.pk}\0{day}\0{visitor_id}".encode()
    key = settings.SECRET_KEY.encode()
    return int.from_bytes(hmac.digest(key, message, "sha256")[:8], signed=True)


@dataclass(frozen=True)
class _Remember:
    """To be called on commit. Until then the salt is known to its transaction."""

    key: tuple[str, date]
    value: bytes
    made_at: datetime

    def __call__(self) -> None:
        _salts[self.key] = self.value, self.made_at


def _salt(zone: str, day: date) -> bytes:
    now = clock.now()
    cached = _salts.get((zone, day))
    if cached is not None and now - cached[1] < SALT_LIFETIME:
        return cached[0]
    # One of a transaction that is rolled back never was: remembered all the
    # same, it would make two visitors of one.
    for entry in connection.run_on_commit:
        made = entry[1]
        if (
            isinstance(made, _Remember)
            and made.key == (zone, day)
            and now - made.made_at < SALT_LIFETIME
        ):
            return made.value
    purge_salts()
    # Two workers may make it at once; the unique constraint leaves one.
    salt, _ = Salt.objects.get_or_create(
        timezone=zone, day=day, defaults={"value": token_bytes(16), "created_at": now}
    )
    value = bytes(salt.value)
    transaction.on_commit(_Remember((zone, day), value, salt.created_at))
    return value


def purge_salts() -> int:
    """Destroy the salts whose time is over, here and in the table."""
    if not clock.is_steady():
        # A glitch of the clock would destroy those of today.
        return 0
    expired = clock.now() - SALT_LIFETIME
    for key, (_, created_at) in list(_salts.items()):
        if created_at <= expired:
            _salts.pop(key, None)
    destroyed = Salt.objects.filter(created_at__lte=expired).delete()[0]
    oldest = Salt.objects.aggregate(Min("created_at"))["created_at__min"]
    metrics.OLDEST_SALT.set(oldest.timestamp() if oldest else 0)
    return destroyed


def forget() -> None:
    """Drop the salts held in memory; the table keeps them."""
    _salts.clear()
    connection.run_on_commit = [
        entry
        for entry in connection.run_on_commit
        if not isinstance(entry[1], _Remember)
    ]
