"""API keys without a database: what one looks like, and what it may grant.

A key is `kr_live_` and 43 URL-safe base64 characters (32 random bytes). Only
its digest is stored. One plain SHA-256 is enough, and a slow hash would be
wrong: 256 random bits cannot be guessed, and the digest is taken per request.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable

PREFIX = "kr_live_"
# Enough to recognise a key in a list, four characters of its secret.
SHOWN_LENGTH = 12

ALL = "*"
SCOPES = {
    "analytics:read": "Read sites, goals, events and statistics",
    "analytics:write": "Change sites and goals, send events",
    "tokens:read": "List API keys",
    "tokens:write": "Create, rotate and revoke API keys",
    ALL: "Everything",
}

_SECRET = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


def new_token() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def is_well_formed(secret: str) -> bool:
    return _SECRET.fullmatch(secret) is not None


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def grants(held: Iterable[str], scope: str) -> bool:
    """Whether a key with the `held` scopes has this one; `*` has them all.

    Scopes are literal: write does not include read.
    """
    held = set(held)
    return ALL in held or scope in held
