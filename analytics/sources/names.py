"""What the places are called that visitors come from, and of which kind they are.

Pure. The table and its source are in known_sources.toml.
"""

import tomllib
from functools import cache, lru_cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from analytics.sources.hosts import suffixes, without_country

APP = "android-app://"
# The kind of a place that the table does not have.
REFERRAL = "referral"

TABLE = Path(__file__).with_name("known_sources.toml")

# What people write in `utm_source` for names of the table.
_ALIASES = {
    "adwords": "Google",
    "chatgpt": "ChatGPT",
    "fb": "Facebook",
    "google_ads": "Google",
    "googleads": "Google",
    "hn": "Hacker News",
    "hackernews": "Hacker News",
    "ig": "Instagram",
    "insta": "Instagram",
    "meta": "Facebook",
    "openai": "ChatGPT",
    "tw": "X",
    "twitter": "X",
    "yt": "YouTube",
}


class Place(NamedTuple):
    name: str
    kind: str


@lru_cache(maxsize=8_192)
def place(referrer: str) -> Place:
    """The place that a stored referrer is.

    A referrer is a host in its normal spelling, `android-app://` and the id of an app,
    or a name: events stored before hosts were have the name of their source, such as
    `Google`, which has no dot. A host that nobody named is called by itself, without
    `www.`.
    """
    if referrer.startswith(APP):
        found = _hosts().get(f"={referrer}")
        return found or Place(referrer.removeprefix(APP), REFERRAL)
    if "." not in referrer:
        return named(referrer) or Place(referrer, REFERRAL)
    host = referrer.removeprefix("www.")
    table = _hosts()
    bare = host.removeprefix("m.") if host.count(".") > 1 else host
    alone = (f"={each}" for each in (bare, without_country(bare)))
    for each in chain(alone, suffixes(bare)):
        if each in table:
            return table[each]
    return Place(host, REFERRAL)


@lru_cache(maxsize=8_192)
def named(text: str) -> Place | None:
    """The place that has this name, or this host, in any case."""
    text = text.strip().lower()
    if "." in text:
        found = place(text)
        return found if found.kind != REFERRAL else None
    return _names().get(_ALIASES.get(text, text).lower())


@cache
def _kinds() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


@cache
def _hosts() -> dict[str, Place]:
    """By host; one that covers itself alone, or is an app, has `=` in front."""
    return {
        f"={host.lower()}" if host.startswith(APP) else host: Place(name, kind)
        for kind, names in _kinds().items()
        for name, hosts in names.items()
        for host in hosts
    }


@cache
def _names() -> dict[str, Place]:
    return {
        name.lower(): Place(name, kind)
        for kind, names in _kinds().items()
        for name in names
    }
