"""HAProxy's HTTP log (`option httplog`, `option httpslog`).

It has no user agent. Captured headers are ignored, because the log does not say which
headers they are.
"""

import re
from datetime import timedelta, tzinfo

from analytics.ingest.access_log.requests import (
    Line,
    Malformed,
    clf_time,
    client_with_port,
    split_request,
    unescaped_url,
)

_TIMES = r"[-+]?\d+(?:/[-+]?\d+){4}"
_COUNTS = r"\+?\d+(?:/\+?\d+){4}"
_HTTPS = r" -?\d+(?:/[-\w]+){4} [^\s\"]+"
_LINE = re.compile(
    r"(\S+) \[([^\]]+)\.(\d{3})\] \S+ ([^\s/]+/\S+)"
    rf" {_TIMES} (\d{{3}}|-1) \+?(\d+) \S+ \S+ \S{{4}} {_COUNTS} \d+/\d+"
    rf"(?: \{{[^}}]*\}}){{0,2}} \"([^\"]*)\"(?:{_HTTPS})?\s*",
    re.ASCII,
)
_ESCAPE = re.compile(r"#([0-9A-F]{2})")


def read(text: str, zone: tzinfo) -> Line:
    """Read a line. `zone` is the server's, as times are local. Raises Malformed."""
    matched = _LINE.fullmatch(text)
    if matched is None:
        # A request of more than 1,024 bytes is cut, including its closing quote.
        raise Malformed("not in the format of the log")
    who, time, milliseconds, backend, status, size, request = matched.groups()
    method, target = split_request(_ESCAPE.sub(r"\\x\1", request.replace("\\", r"\\")))
    identity = (time, milliseconds, backend, status, size, request)
    return Line(
        address=client_with_port(who),
        at=clf_time(time, zone) + timedelta(milliseconds=int(milliseconds)),
        method=method,
        target=unescaped_url(target),
        status=max(int(status), 0),
        referrer="",
        user_agent=None,
        identity="\0".join(identity),
    )
