"""The common log format and related formats: Apache, nginx, Traefik.

`combined` adds referrer and user agent, the vhost formats put the host first. Each is a
separate format: a truncated combined line looks like a common one, and would be counted
without its user agent.
"""

import re

from analytics.ingest.access_log.requests import (
    Line,
    Malformed,
    absent,
    clf_time,
    client,
    client_or_name,
    host,
    is_address,
    split_request,
    unescaped_url,
)

# Linear in the line's length: no two adjacent parts match the same character.
QUOTED = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_UNCAPTURED = QUOTED.replace("(", "(?:", 1)
_UNESCAPED_QUOTE = re.compile(r'(?<!\\)(?:\\\\)*"')

# The client may be the list from a proxy's header.
_CLIENT = r'([^\s,"]+(?:, ?[^\s,"]+)*)'
_HEAD = rf"{_CLIENT} (\S+) ([^\[]+) \[([^\]]+)\] {QUOTED} (\d{{3}}) (\d+|-)"
_AGENT = f" {QUOTED} {QUOTED}"
# Appended fields: words and quoted texts (`0.003`, `rt=0.1`, `uct="-"`). Half a
# quoted text does not match; otherwise a quote inside the user agent would be
# missed. No following part may match spaces as well: the time would be quadratic.
_WORD = rf'[^\s"]*(?:(?<=[\s=:,(\[{{]){_UNCAPTURED}[^\s"]*)?'
_APPENDED = rf"(?: {_WORD})*"

_COMMON = re.compile(rf"{_HEAD}\s*", re.ASCII)
_COMBINED = re.compile(rf"{_HEAD}{_AGENT}{_APPENDED}", re.ASCII)
_VHOST_COMMON = re.compile(rf"(\S+) {_HEAD}\s*", re.ASCII)
_VHOST_COMBINED = re.compile(rf"(\S+) {_HEAD}{_AGENT}{_APPENDED}", re.ASCII)
# Appended: the number of requests, the router, the server, the duration.
_TRAEFIK = re.compile(
    rf"{_HEAD}{_AGENT} (?:\d+|-) (?:{_UNCAPTURED}|-) (?:{_UNCAPTURED}|-) \d+ms\s*",
    re.ASCII,
)


def read_common(text: str) -> Line:
    """Read a line. Raises Malformed, like all readers."""
    return _line("", *_match(_COMMON, text).groups())


def read_combined(text: str) -> Line:
    return _line("", *_match(_COMBINED, text).groups())


def read_vhost_common(text: str) -> Line:
    return _line(*_match(_VHOST_COMMON, text).groups())


def read_vhost_combined(text: str) -> Line:
    return _line(*_match(_VHOST_COMBINED, text).groups())


def read_traefik(text: str) -> Line:
    return _line("", *_match(_TRAEFIK, text).groups())


def _match(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    if matched := pattern.fullmatch(text):
        return matched
    raise Malformed(explain(text))


def explain(text: str) -> str:
    """Return why a line of a format with quotes is malformed."""
    if len(_UNESCAPED_QUOTE.findall(text)) % 2:
        return "a quote is never closed"
    return "not in the format of the log"


def _line(
    vhost: str,
    who: str,
    ident: str,
    user: str,
    time: str,
    request: str,
    status: str,
    size: str,
    referrer: str = "-",
    user_agent: str | None = None,
) -> Line:
    method, target = split_request(request)
    identity = (time, request, status, size, referrer)
    return Line(
        address=_client(who, ident, user),
        at=clf_time(time),
        method=method,
        target=unescaped_url(target),
        status=int(status),
        referrer=unescaped_url(absent(referrer)),
        user_agent=None if user_agent is None else absent(user_agent),
        identity="\0".join((*identity, vhost) if vhost else identity),
        host=host(vhost),
    )


def _client(who: str, ident: str, user: str) -> str:
    """Return the address, after checking that the line begins like this format.

    Otherwise a host or a syslog prefix before the address would be read as the address,
    and the address as one of the two words after it, as the last may contain spaces.
    """
    if is_address(ident) or user.startswith("- ") or any(map(is_address, user.split())):
        raise Malformed("something else than the client begins the line")
    return client(who) if " " in user else client_or_name(who)
