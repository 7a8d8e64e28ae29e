"""Recognise visitors within a day without storing who they are.

Only this module, `client_address` and `country` see IP addresses. A visitor id is a
hash with a random salt that is destroyed within 48 hours; after that neither the
address nor the user agent can be recovered from stored data.
"""

import hashlib
import hmac
from datetime import date
from functools import lru_cache

from django.conf import settings

from analytics.access import throttling
from analytics.ingest import client_address, salts, user_agents
from analytics.models import Site


@lru_cache(maxsize=8_192)
def caller(address: str, minute: int) -> str:
    """The name of a client in rate limit counts, valid for one minute."""
    return throttling.anonymous("ip", client_address.household(address), minute)


def visitor(site: Site, day: date, *, address: str, user_agent: str) -> int:
    """The visitor of that day on that site, as a signed 64-bit number."""
    salt = salts.salt(site, day)
    client = client_address.network_of(address, salt.ipv6_prefix)
    who = f"{site.id}\0{client}\0{user_agent}".encode()
    digest = hashlib.sha256(salt.value + who).digest()
    return int.from_bytes(digest[:8], signed=True)


def known_visitor(site: Site, day: date, visitor_id: str) -> int:
    """The visitor whom a server-side caller names itself.

    Keyed instead of salted: a backfill that is repeated after the salt was
    destroyed must give the same ids. Bound to the day like every visitor id.
    """
    message = f"{site.id}\0{day}\0{visitor_id}".encode()
    key = settings.DATA_KEY.encode()
    return int.from_bytes(hmac.digest(key, message, "sha256")[:8], signed=True)


def forget_clients() -> None:
    """Clear the cached addresses and user agents of this process."""
    caller.cache_clear()
    client_address.forget()
    user_agents.forget()
