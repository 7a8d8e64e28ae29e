"""Find a site by its public key, cached for a second.

For the tracker's requests only; requests with an API key read the table.
"""

import time

from analytics.models import Site

# A deleted site must stop accepting within two seconds, in every process.
_LIFETIME = 1.0
_MAX_REMEMBERED = 10_000
_LENGTH = Site._meta.get_field("site_key").max_length or 0

_remembered: dict[str, tuple[Site | None, float]] = {}


def by_key(site_key: str) -> Site | None:
    """The undeleted site with this key; unknown keys are cached as well."""
    # No site key has a NUL, at which PostgreSQL fails, or is longer: strangers would
    # fill the memory with those that are.
    if "\0" in site_key or len(site_key) > _LENGTH:
        return None
    now = time.monotonic()
    found = _remembered.get(site_key)
    if found is not None:
        site, until = found
        if until > now:
            return site
        # Other requests use the cached site while this one reads it again.
        _remembered[site_key] = site, now + _LIFETIME
    site = Site.objects.undeleted().filter(site_key=site_key).first()
    if len(_remembered) >= _MAX_REMEMBERED:
        _remembered.clear()
    _remembered[site_key] = site, now + _LIFETIME
    return site


def forget() -> None:
    _remembered.clear()
