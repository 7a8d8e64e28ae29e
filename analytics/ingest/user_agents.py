"""What a user agent string says: a crawler or not, and three coarse labels.

Pure. Patterns come from packages (crawler-user-agents, ua-parser), compiled by
engines whose time is linear in the input: the string is a stranger's.
"""

from functools import lru_cache
from typing import NamedTuple

import re2
import ua_parser
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

# Strings longer than this are cut before parsing; real ones stay under 300.
_MAX_LENGTH = 512
_MAX_LABEL = 64
# A busy day shows a few thousand distinct strings; entries are about 1 KiB.
_CACHE_SIZE = 8_192


class Agent(NamedTuple):
    """Labels are `""` where unknown."""

    is_crawler: bool
    device: str
    browser: str
    os: str


def _compile_crawlers() -> "re2._Regexp[str]":
    options = re2.Options()
    options.max_mem = 64 << 20
    patterns = (f"(?:{entry['pattern']})" for entry in CRAWLER_USER_AGENTS_DATA)
    return re2.compile("|".join(patterns), options)


_CRAWLERS = _compile_crawlers()


@lru_cache(maxsize=_CACHE_SIZE)
def parse(user_agent: str) -> Agent:
    user_agent = user_agent[:_MAX_LENGTH]
    parsed = ua_parser.parse(user_agent)
    return Agent(
        # Every browser names itself, so that an empty string is a program.
        is_crawler=not user_agent or _CRAWLERS.search(user_agent) is not None,
        device=_device(user_agent),
        browser=_label(parsed.user_agent),
        os=_label(parsed.os),
    )


def _label(parsed: ua_parser.UserAgent | ua_parser.OS | None) -> str:
    """The family, as far as the column takes it: some are the string itself."""
    return parsed.family[:_MAX_LABEL] if parsed else ""


def _device(user_agent: str) -> str:
    """Mobile, Tablet, Desktop, by the words that browsers agreed on."""
    if "iPad" in user_agent or "Tablet" in user_agent:
        return "Tablet"
    if "Mobi" in user_agent or "iPhone" in user_agent:
        return "Mobile"
    if "Android" in user_agent:
        return "Tablet"
    return "Desktop" if user_agent else ""
