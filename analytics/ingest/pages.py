"""What the addresses in an event say: path, host, campaign, referrer.

Pure. Paths are kept as sent, percent-encoding and all; nothing is decoded,
trimmed or re-cased, because goals are matched against exactly this text.
"""

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl

_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*))?([^?#]*)(?:\?([^#]*))?")
_HOST = re.compile(r"(?:[^@]*@)?(\[[0-9a-fA-F:.]+\]|[^:]*)(?::\d*)?")
_CAMPAIGN_LENGTH = 255
_HOST_LENGTH = 253

# `.com`, `.de`, `.co.uk`, `.com.br`; but not `.com.` and somebody else's domain.
_ANY_COUNTRY = r"\.(?:com|(?:com?\.)?[a-z]{2})$"
# Where people search and talk, by the name they know instead of a host.
_NAMED_HOSTS = (
    (re.compile(r"(?:^|\.)google" + _ANY_COUNTRY), "Google"),
    (re.compile(r"(?:^|\.)bing\.com$"), "Bing"),
    (re.compile(r"(?:^|\.)duckduckgo\.com$"), "DuckDuckGo"),
    (re.compile(r"(?:^|\.)yahoo" + _ANY_COUNTRY), "Yahoo"),
    (re.compile(r"(?:^|\.)yandex" + _ANY_COUNTRY), "Yandex"),
    (re.compile(r"(?:^|\.)baidu\.com$"), "Baidu"),
    (re.compile(r"(?:^|\.)ecosia\.org$"), "Ecosia"),
    (re.compile(r"(?:^|\.)(?:facebook|fb)\.(?:com|me)$"), "Facebook"),
    (re.compile(r"(?:^|\.)instagram\.com$"), "Instagram"),
    (re.compile(r"(?:^|\.)(?:twitter|x)\.com$|^t\.co$"), "X"),
    (re.compile(r"(?:^|\.)linkedin\.com$|^lnkd\.in$"), "LinkedIn"),
    (re.compile(r"(?:^|\.)reddit\.com$"), "Reddit"),
    (re.compile(r"(?:^|\.)youtube\.com$|^youtu\.be$"), "YouTube"),
    (re.compile(r"^news\.ycombinator\.com$"), "Hacker News"),
)


class Page(NamedTuple):
    """The parts of a page's URL; `host` is `""` where only a path was sent."""

    host: str
    path: str
    query: str


# Few pages have most of the traffic.
_remember = lru_cache(maxsize=4_096)


@_remember
def parse(url: str) -> Page:
    # Each part of the pattern may be empty, so that it always matches.
    authority, path, query = _URL.match(url).groups()  # type: ignore[union-attr]
    return Page(_hostname(authority or ""), path or "/", query or "")


def _hostname(authority: str) -> str:
    matched = _HOST.match(authority)
    return (matched[1] if matched else "").lower()


class Campaign(NamedTuple):
    source: str = ""
    medium: str = ""
    campaign: str = ""


@_remember
def campaign(query: str) -> Campaign:
    if "utm_" not in query:
        return Campaign()
    values = dict(parse_qsl(query))
    given = (values.get(f"utm_{part}", "") for part in Campaign._fields)
    # PostgreSQL stores no NUL in a text, and `%00` is one.
    return Campaign(*(value.replace("\0", "")[:_CAMPAIGN_LENGTH] for value in given))


@_remember
def referrer(url: str, own_host: str) -> str:
    """The site a visitor came from: a known name or a host without `www.`.

    `""` for none and for the site's own pages.
    """
    host = parse(url).host.removeprefix("www.")
    if not host or host == own_host.removeprefix("www."):
        return ""
    for pattern, name in _NAMED_HOSTS:
        if pattern.search(host):
            return name
    return host[:_HOST_LENGTH]
