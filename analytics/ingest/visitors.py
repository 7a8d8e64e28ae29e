"""Who is the same visitor, without knowing who it is.

Only this module and `country` see IP addresses. They return a yes or no, a
country, or a hash with a random salt that lives at most 48 hours; neither the
address nor the user agent can be recovered from what is stored.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from secrets import token_bytes

from django.conf import settings

from analytics.models import Salt, Site

# Of the 48 hours that were promised, one is left to whoever destroys it
# (`analytics.housekeeping`, every hour).
SALT_LIFETIME = timedelta(hours=47)

# (zone, day) -> (salt, when it was made). Bounded by the lifetime: `_salt`
# drops what has outlived it, so that memory forgets when the table does.
_salts: dict[tuple[str, date], tuple[bytes, datetime]] = {}


def client_ip(environ: Mapping[str, str]) -> str:
    """The client's address, from X-Forwarded-For only as far as it is trusted.

    Read from the right: each trusted proxy appended the peer it saw, and what
    stands left of the first untrusted hop is the client's own claim.
    """
    address = environ.get("REMOTE_ADDR", "")
    if not settings.TRUSTED_PROXIES:
        return address
    hops = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
    while hops and is_within(address, settings.TRUSTED_PROXIES):
        claimed = hops.pop().strip()
        if not _parse(claimed):
            break
        address = claimed
    return address


@lru_cache(maxsize=8_192)
def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


@lru_cache(maxsize=8_192)
def _canonical(address: str) -> str:
    """One spelling: an address has several, and a socket maps IPv4 into IPv6."""
    return str(_parse(address) or address)


def is_address(text: str) -> bool:
    return _parse(text) is not None


def is_within(
    address: str, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]
) -> bool:
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in networks)


@lru_cache(maxsize=8_192)
def caller(address: str, minute: int) -> str:
    """A name for an address in a rate limit's table, good for one minute.

    Keyed and tied to the minute: the table cannot tell who came back.
    """
    message = f"{minute} {address}".encode()
    return (
        "ip:" + hmac.digest(settings.SECRET_KEY.encode(), message, "sha256").hex()[:40]
    )


def visitor(site: Site, day: date, *, address: str, user_agent: str) -> int:
    """The visitor of that day on that site, as a signed 64-bit number."""
    who = f"{site.pk}\0{_canonical(address)}\0{user_agent}".encode()
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


def _salt(zone: str, day: date) -> bytes:
    """The day's salt: made on first use, forgotten when its time is over."""
    now = datetime.now(UTC)
    cached = _salts.get((zone, day))
    if cached is not None and now - cached[1] < SALT_LIFETIME:
        return cached[0]
    purge_salts()
    # Two workers may make it at once; the unique constraint leaves one.
    salt, _ = Salt.objects.get_or_create(
        timezone=zone, day=day, defaults={"value": token_bytes(16), "created_at": now}
    )
    _salts[zone, day] = bytes(salt.value), salt.created_at
    return bytes(salt.value)


def purge_salts() -> int:
    """Destroy the salts whose time is over, here and in the table."""
    expired = datetime.now(UTC) - SALT_LIFETIME
    for key, (_, created_at) in list(_salts.items()):
        if created_at <= expired:
            _salts.pop(key, None)
    return Salt.objects.filter(created_at__lte=expired).delete()[0]


def forget() -> None:
    """Drop the salts held in memory; the table keeps them."""
    _salts.clear()
