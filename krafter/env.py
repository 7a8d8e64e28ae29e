"""Read settings from environment variables; raise on an invalid value.

The error names the variable. An invalid value never falls back to the default.
All functions raise ImproperlyConfigured.
"""

import ipaddress
import os
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, default)


def required(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ImproperlyConfigured(f"{name} must be set")
    return value


def is_weak(secret: str) -> bool:
    """Return whether the key is weak by the rules of Django's own check, which only
    warns.
    """
    return (
        len(secret) < 50
        or len(set(secret)) < 5
        or secret.startswith("django-insecure-")
    )


def secret(name: str) -> str:
    value = required(name)
    if is_weak(value):
        raise ImproperlyConfigured(f"{name} is weak: it needs 50 random characters")
    return value


def flag(name: str, *, default: bool = False) -> bool:
    value = os.environ.get(name, "").strip().lower()
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("0", "false", "no", "off"):
        return False
    if value:
        raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}")
    return default


# More than any setting needs; dates, sockets and database columns can hold it.
_MANY = 1_000_000_000


def integer(name: str, default: int, *, minimum: int = 0, maximum: int = _MANY) -> int:
    value = os.environ.get(name, "")
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise ImproperlyConfigured(
            f"{name} must be a whole number, not {value!r}"
        ) from None
    if number < minimum:
        raise ImproperlyConfigured(f"{name} must be at least {minimum}, not {number}")
    if number > maximum:
        raise ImproperlyConfigured(f"{name} must be at most {maximum}, not {value}")
    return number


def listing(name: str, default: str = "") -> list[str]:
    """Comma-separated values; empty ones are ignored."""
    values = os.environ.get(name, default).split(",")
    return [value.strip() for value in values if value.strip()]


def header(name: str) -> str:
    """Return the name of a header in the spelling of HTTP."""
    value = os.environ.get(name, "").strip()
    if value and not re.fullmatch(r"[A-Za-z0-9-]+", value):
        raise ImproperlyConfigured(f"{name} must be a header's name, not {value!r}")
    return value


def choice(name: str, default: str, values: Sequence[str]) -> str:
    """Return one of the values, ignoring case."""
    given = os.environ.get(name, "").strip() or default
    for value in values:
        if given.lower() == value.lower():
            return value
    raise ImproperlyConfigured(f"{name} must be one of {', '.join(values)}")


def url(name: str, schemes: Sequence[str]) -> str:
    """Return a URL with one of these schemes, or "". The error does not quote it."""
    value = os.environ.get(name, "").strip()
    if not value:
        return ""
    wrong = ImproperlyConfigured(
        f"{name} must be a URL that begins with {schemes[0]}://"
    )
    try:
        parts = urlsplit(value)
        is_right = parts.scheme in schemes and bool(parts.netloc or parts.path)
        # Raises ValueError if it is not a number.
        _ = parts.port
    except ValueError:
        raise wrong from None
    if not is_right or (parts.scheme != "unix" and not parts.hostname):
        raise wrong
    return value


def networks(name: str) -> list[Network]:
    """Comma-separated addresses or CIDR networks."""
    try:
        return [ipaddress.ip_network(value) for value in listing(name)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}") from None
