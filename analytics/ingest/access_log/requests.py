"""One request of an access log, and readers of the fields that formats share.

Texts have one character per byte, as `reading.lines` yields them: decoding cannot fail,
and logged bytes are percent-encoded as they were sent.
"""

import ipaddress
import re
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from analytics.ingest import moments

# English names, as every server writes them; strptime uses the machine's locale.
MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_CLF_TIME = re.compile(
    r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d)(?: ([+-])(\d\d)(\d\d))?",
    re.ASCII,
)
_ISO_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)
_EPOCH = re.compile(r"(\d{9,19})(?:\.\d+)?", re.ASCII)
# Units per second of a number since 1970, by its digits (for times since 1990).
_EPOCH_UNITS = {9: 1, 10: 1, 12: 10**3, 13: 10**3, 15: 10**6, 16: 10**6}
_EPOCH_UNITS |= {18: 10**9, 19: 10**9}

# Browsers send these unencoded: printable ASCII without `"`, `<`, `>`, backslash.
_SENT = r"!#-;=?-\[\]-~"
_PLAIN = re.compile(f"[{_SENT}]*")
_ODD = re.compile(f"[^{_SENT}]")
_ESCAPED = re.compile(rf'\\x([0-9A-Fa-f]{{2}})|\\([bnrtv"\\])|[^{_SENT}]')
_ESCAPES = dict(zip('bnrtv"\\', '\b\n\r\t\v"\\', strict=True))

_BRACKETED = re.compile(r"\[([^\[\]]+)\](?::\d+)?")
_HOST = re.compile(
    r"(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?"
)
_CLIENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")


class Malformed(ValueError):
    """A line that cannot be read. The message never quotes the line."""


class Line(NamedTuple):
    """A request and its response.

    `target` and `referrer` are printable ASCII: bytes that no browser sends unencoded
    are percent-encoded, as in the address bar. `user_agent` is None if the format does
    not have it, `""` if the visitor sent none. `identity` is the logged data that
    distinguishes this request from others, without the visitor's. `host` is the
    requested host, `""` if the log does not have it.
    """

    address: str
    at: datetime
    method: str
    target: str
    status: int
    referrer: str
    user_agent: str | None
    identity: str
    host: str = ""

    @property
    def url(self) -> str:
        """Return the page's URL; only its path if the log has no host."""
        # A target with a host, as a proxy's client sends it, is used unchanged.
        if self.host and self.target.startswith("/"):
            return f"http://{self.host}{self.target}"
        return self.target


def absent(text: str) -> str:
    return "" if text == "-" else text


# Client


@lru_cache(maxsize=8_192)
def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=8_192)
def client(text: str) -> str:
    """Return the address in a client field, without a port. Raises Malformed.

    In a list, as proxies write it, the first address is used: each proxy appends the
    one that it saw.
    """
    for item in text.split(","):
        item = item.strip().strip('"')
        if is_address(item):
            return item
        if bracketed := _BRACKETED.fullmatch(item):
            item = bracketed[1]
        else:
            item, _, port = item.rpartition(":")
            item = item if port.isdecimal() else ""
        if is_address(item):
            return item
    raise Malformed("no address of a client")


def client_with_port(text: str) -> str:
    """Return the address of a field that always ends in a port.

    IPv6 may have no brackets. Raises Malformed.
    """
    address, colon, port = text.rpartition(":")
    if colon and port.isdecimal():
        return client(address)
    raise Malformed("no address of a client")


def client_or_name(text: str) -> str:
    """As `client`, but a host name that the server looked up is returned as it is."""
    return text if _CLIENT_NAME.fullmatch(text) else client(text)


# Time


# Cached, because a busy server logs many requests per second.
@lru_cache(maxsize=1_024)
def clf_time(text: str, zone: tzinfo | None = None) -> datetime:
    """Return the UTC time of `17/May/2015:10:05:03 +0000`.

    `zone` is the time zone of a time without an offset. Raises Malformed.
    """
    matched = _CLF_TIME.fullmatch(text)
    try:
        if matched is None:
            raise ValueError
        day, month, year, hour, minute, second, sign, hours, minutes = matched.groups()
        if sign is None and zone is None:
            raise ValueError
        number, rest = divmod(MONTHS.index(month), 3)
        if rest:
            raise ValueError
        local = datetime(
            *(int(year), number + 1, int(day), int(hour), int(minute), int(second)),
            tzinfo=UTC if sign else zone,
        )
        if sign is None:
            return local.astimezone(UTC)
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return local + offset if sign == "-" else local - offset
    except (ValueError, OverflowError):
        raise Malformed("no such time") from None


@lru_cache(maxsize=1_024)
def iso_time(text: str, zone: tzinfo) -> datetime:
    """Return the UTC time of `2015-05-17T10:05:03.5Z`.

    `zone` is the time zone of a time without an offset. Raises Malformed.
    """
    try:
        if not _ISO_TIME.fullmatch(text):
            raise ValueError
        parsed = datetime.fromisoformat(text)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).astimezone(
            UTC
        )
    except (ValueError, OverflowError):
        raise Malformed("no such time") from None


def any_time(text: str, zone: tzinfo) -> datetime:
    """Return the UTC time of a text or a number since 1970.

    Which of them it is, is detected from its form. Raises Malformed.
    """
    if epoch := _EPOCH.fullmatch(text):
        try:
            found = moments.counted(Decimal(text), _EPOCH_UNITS[len(epoch[1])])
        except KeyError:
            found = None
        if found is None:
            raise Malformed("no such time")
        return found
    return iso_time(text, zone) if text[4:5] == "-" else clf_time(text, zone)


# Request


def split_request(request: str) -> tuple[str, str]:
    """Return method and target of a request line, which may contain anything."""
    method, _, rest = request.partition(" ")
    target, space, protocol = rest.rpartition(" ")
    return method, target if space and protocol.startswith("HTTP/") else rest


@lru_cache(maxsize=1_024)
def host(text: str) -> str:
    """Return a logged host, with its port; `""` for none. Raises Malformed."""
    # nginx writes `_`, the name of the catch-all server, if it has no other.
    if text in ("", "-", "_"):
        return ""
    # A `/` in the host would move what follows into the path.
    if not _HOST.fullmatch(text):
        raise Malformed("no such host")
    return text


def status_code(text: str | int) -> int:
    """Return an HTTP status as a number. Raises Malformed."""
    code = str(text)
    if len(code) == 3 and code.isdecimal() and code.isascii():
        return int(code)
    raise Malformed("no such status")


def to_url(text: str) -> str:
    """Percent-encode characters that no browser sends unencoded."""
    return text if _PLAIN.fullmatch(text) else _ODD.sub(_encode, text)


def unescaped_url(text: str) -> str:
    """As `to_url`, after undoing the escapes of Apache and nginx."""
    return text if _PLAIN.fullmatch(text) else _ESCAPED.sub(_unescape, text)


def _encode(matched: re.Match[str]) -> str:
    return f"%{ord(matched[0]):02X}"


def _unescape(matched: re.Match[str]) -> str:
    byte, escaped = matched.groups()
    return to_url(chr(int(byte, 16)) if byte else _ESCAPES.get(escaped, matched[0]))
