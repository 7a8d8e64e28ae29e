"""The W3C's extended log file format: IIS, and CloudFront, which uses tabs.

A file declares the fields of its lines, and may declare them again later.
"""

import re
from datetime import UTC
from urllib.parse import unquote_to_bytes

from analytics.ingest.access_log.requests import (
    Line,
    Malformed,
    absent,
    client,
    host,
    iso_time,
    status_code,
    to_url,
)

# A line of 64 KiB can have more words than any log has fields.
_MAX_FIELDS = 200
_NEEDED = ("date", "time", "c-ip", "cs-method", "cs-uri-stem", "sc-status")
# The requested host comes first; CloudFront's name of a distribution is not useful.
_HOSTS = ("x-host-header", "cs-host", "cs(Host)")
_CLOUDFRONT = "x-edge-location"


class Reader:
    """Reads one file, from its first line."""

    def __init__(self) -> None:
        self._fields: list[str] | None = None
        self._hosts: tuple[str, ...] = ()
        self._separator = " "

    def __call__(self, text: str) -> Line | None:
        """Read a line; None for a directive. Raises Malformed."""
        if text.startswith("#"):
            if text.startswith("#Fields:"):
                self._begin(text.removeprefix("#Fields:").split()[: _MAX_FIELDS + 1])
            elif not re.match(r"#[A-Z][A-Za-z-]*:", text):
                raise Malformed("no directive of a W3C log")
            return None
        if self._fields is None:
            raise Malformed("no #Fields directive before it")
        values = text.strip("\r\n").split(self._separator)
        if len(values) != len(self._fields):
            raise Malformed("another number of fields than #Fields names")
        return self._line(dict(zip(self._fields, values, strict=True)))

    def _begin(self, fields: list[str]) -> None:
        self._fields = fields
        is_cloudfront = _CLOUDFRONT in fields
        self._separator = "\t" if is_cloudfront else " "
        self._hosts = _HOSTS[:1] if is_cloudfront else _HOSTS

    def _line(self, values: dict[str, str]) -> Line:
        try:
            date, time, who, method, stem, status = (values[name] for name in _NEEDED)
        except KeyError:
            raise Malformed("#Fields lacks one that is needed") from None
        query = absent(values.get("cs-uri-query", "-"))
        target = f"{stem}?{query}" if query else stem
        referrer = absent(values.get("cs(Referer)", "-"))
        agent = values.get("cs(User-Agent)")
        asked_host = next(
            (found for name in self._hosts if (found := absent(values.get(name, "-")))),
            "",
        )
        size, unique = values.get("sc-bytes", ""), values.get("x-edge-request-id", "")
        return Line(
            address=client(who),
            # Times of this format are UTC by definition.
            at=iso_time(f"{date}T{time}", UTC),
            method=method,
            target=to_url(target),
            status=status_code(status),
            referrer=to_url(referrer),
            user_agent=None if agent is None else self._decoded(absent(agent)),
            identity="\0".join(
                (date, time, method, target, status, size, referrer, asked_host, unique)
            ),
            host=host(asked_host),
        )

    def _decoded(self, text: str) -> str:
        """Decode a user agent: IIS writes `+` for a space, CloudFront `%20`."""
        if self._separator == " ":
            return text.replace("+", " ")
        raw = unquote_to_bytes(text.encode("latin-1"))
        # Older logs of CloudFront are encoded twice: %2520.
        return (unquote_to_bytes(raw) if b"%20" in raw else raw).decode("latin-1")
