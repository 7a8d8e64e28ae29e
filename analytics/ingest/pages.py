"""The parts of an event's URL and referrer: host, path, campaign labels.

Pure. Paths are kept exactly as sent, without decoding, trimming or changing case,
because goals are matched against this text.
"""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl

from analytics.recent import remember_short
from analytics.sources.click_ids import CLICK_IDS
from analytics.sources.hosts import MAX_LENGTH, normal
from analytics.sources.names import APP

_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*))?([^?#]*)(?:\?([^#]*))?")
_HOST = re.compile(r"(?:[^@]*@)?(\[[0-9a-fA-F:.]+\]|[^:]*)(?::\d*)?")
MAX_LABEL = 255


class Page(NamedTuple):
    """The parts of a page's URL; `host` is `""` where only a path was sent."""

    host: str
    path: str
    query: str


# A small cache is enough: few pages have most of the traffic, and long addresses
# have click ids, which come once.
_remember = remember_short(4_096, 256)


@_remember
def parse(url: str) -> Page:
    # Each part of the pattern may be empty, so that it always matches.
    authority, path, query = _URL.match(url).groups()  # type: ignore[union-attr]
    return Page(_hostname(authority or ""), path or "/", query or "")


def _hostname(authority: str) -> str:
    matched = _HOST.match(authority)
    return (matched[1] if matched else "").lower()


class Campaign(NamedTuple):
    """The campaign labels in a page's URL; `click_id` is the name of the one found."""

    source: str = ""
    medium: str = ""
    campaign: str = ""
    term: str = ""
    content: str = ""
    click_id: str = ""


UTM = Campaign._fields[:-1]
# Parameters that replace a missing `utm_source`; the first with a value counts.
_SOURCES = ("source", "ref")


@_remember
def campaign(query: str, *, is_link_of_own: bool = False) -> Campaign:
    """The labels in a query: names in any case, the first value that is not blank.

    `is_link_of_own`: the referrer is a page of the same site, where `ref` and `source`
    have other meanings and are ignored.
    """
    if "=" not in query:
        return Campaign()
    given: dict[str, str] = {}
    # Links copied from HTML source separate parameters by &amp;.
    for name, value in parse_qsl(_AMPERSAND.sub("&", query)):
        # PostgreSQL stores no NUL in a text, and `%00` is one.
        if value := value.replace("\0", "").strip()[:MAX_LABEL].rstrip():
            given.setdefault(name.strip().lower(), value)
    if not is_link_of_own and "utm_source" not in given:
        found = next((given[name] for name in _SOURCES if name in given), "")
        given["utm_source"] = found
    texts = {part: given.get(f"utm_{part}", "") for part in UTM}
    click_id = next((name for name in CLICK_IDS if name in given), "")
    return Campaign(**texts, click_id=click_id)


_AMPERSAND = re.compile("&(?:amp;)+", re.IGNORECASE)


@_remember
def referrer(url: str) -> str:
    """Return the referrer's host, or `android-app://` and the id of an app.

    `""` if there is none, as in a path.
    """
    host = normal(parse(url).host)
    is_app = url[: len(APP)].lower() == APP
    return f"{APP}{host}"[:MAX_LENGTH] if is_app and host else host


def named_referrer(text: str) -> str:
    """As `referrer`, for values sent by servers: also a host alone, or a name."""
    text = text.strip()
    if "://" in text or text.startswith("/"):
        return referrer(text)
    host = text.partition("/")[0]
    # Names have no dot, and are compared without regard to case.
    return normal(host) if "." in host else text[:MAX_LENGTH]
