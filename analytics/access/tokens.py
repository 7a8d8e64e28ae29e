"""The format of API keys and the meaning of scopes. Pure.

A key is `kr_live_` followed by 43 URL-safe base64 characters (32 random bytes).
Only its SHA-256 digest is stored. A slow hash is not needed: 256 random bits cannot
be guessed, and the digest is computed for every request.
"""

import hashlib
import re
import secrets
from collections.abc import Collection, Iterable

PREFIX = "kr_live_"
# The prefix shown in lists, with four characters of the secret part.
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


def refusal_of(chosen: Collection[str]) -> str | None:
    """Why a person's choice of scopes is ambiguous, or None. Programs may send any."""
    if ALL in chosen and len(chosen) > 1:
        return "Choose either * alone, which is everything, or narrower scopes."
    return None


def new_token() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def is_well_formed(secret: str) -> bool:
    return _SECRET.fullmatch(secret) is not None


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def grants(held: Iterable[str], scope: str) -> bool:
    """Whether the `held` scopes include `scope`. `*` includes every scope.

    `analytics:write` does not include `analytics:read`.
    """
    held = set(held)
    return ALL in held or scope in held
