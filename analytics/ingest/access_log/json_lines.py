"""Logs with one JSON object per line: nginx, Caddy, Traefik."""

import json
import re
from datetime import tzinfo
from typing import Any

from analytics.ingest.access_log.requests import (
    Line,
    Malformed,
    absent,
    any_time,
    client,
    host,
    split_request,
    status_code,
    to_url,
)

Fields = dict[str, Any]

_BYTE = re.compile(r"\\x([0-9A-Fa-f]{2})")

# In nginx the keys can be chosen freely: these are its variables, and common short
# names. Not `uri`: that variable is the file that nginx served, such as /index.php
# for every page.
_CLIENTS = ("remote_addr", "client_ip", "remote_ip", "client", "http_x_forwarded_for")
_TIMES = ("time_iso8601", "time_local", "msec", "@timestamp", "timestamp", "time", "ts")
_METHODS = ("request_method", "method")
_AGENTS = ("http_user_agent", "user_agent", "agent")
_REFERRERS = ("http_referer", "http_referrer", "referer", "referrer")
_HOSTS = ("host", "http_host", "vhost", "server_name")
_SIZES = ("body_bytes_sent", "bytes_sent", "size")


def read_nginx(text: str, zone: tzinfo) -> Line:
    """Read a line. Raises Malformed, like all readers."""
    fields = decode(text)
    request = _first(fields, "request")
    if request:
        method, target = split_request(request)
    else:
        method, target = _first(fields, *_METHODS), _first(fields, "request_uri")
    if not method:
        raise Malformed("no field for the request")
    time, status = _first(fields, *_TIMES), _first(fields, "status")
    if not time or not status:
        raise Malformed("no field for the time, or for the status")
    agent = next((name for name in _AGENTS if name in fields), None)
    referrer, asked_host = _first(fields, *_REFERRERS), _first(fields, *_HOSTS)
    size, unique = _first(fields, *_SIZES), _first(fields, "request_id")
    return Line(
        address=client(_first(fields, *_CLIENTS)),
        at=any_time(time, zone),
        method=method,
        target=to_url(target),
        status=status_code(status),
        referrer=to_url(referrer),
        user_agent=None if agent is None else _first(fields, agent),
        identity="\0".join(
            (time, method, target, status, size, referrer, asked_host, unique)
        ),
        host=host(asked_host),
    )


def read_caddy(text: str, zone: tzinfo) -> Line | None:
    """Read a line; None for an entry of Caddy's that is not a request."""
    fields = decode(text)
    if not {"level", "ts"} <= fields.keys():
        raise Malformed("no entry of Caddy's")
    # The error log repeats the entries of the access log.
    is_access = str(fields.get("logger", "")).startswith("http.log.access")
    request = fields.get("request")
    if not is_access or not isinstance(request, dict):
        if "logger" in fields or "msg" in fields:
            return None
        raise Malformed("no entry of Caddy's")
    time, status, size = (
        _text(fields.get(name, "")) for name in ("ts", "status", "size")
    )
    method, target, asked_host = (
        _text(request.get(name, "")) for name in ("method", "uri", "host")
    )
    headers = request.get("headers")
    referrer = _header(headers, "Referer") or ""
    return Line(
        address=client(_first(request, "client_ip", "remote_ip", "remote_addr")),
        at=any_time(time, zone),
        method=method,
        target=to_url(target),
        status=status_code(status),
        referrer=to_url(referrer),
        user_agent=_header(headers, "User-Agent"),
        identity="\0".join((time, method, target, status, size, referrer, asked_host)),
        host=host(asked_host),
    )


def _header(headers: Any, name: str) -> str | None:
    """Return a request header; `""` if it was not sent, None if none are logged."""
    if not isinstance(headers, dict):
        return None
    values = headers.get(name)
    return _text(values[0]) if isinstance(values, list) and values else ""


def read_traefik(text: str, zone: tzinfo) -> Line:
    fields = decode(text)
    if not {"RequestMethod", "DownstreamStatus"} <= fields.keys():
        raise Malformed("no entry of Traefik's access log")
    time = _first(fields, "StartUTC", "StartLocal", "time")
    method, target, status = (
        _first(fields, name)
        for name in ("RequestMethod", "RequestPath", "DownstreamStatus")
    )
    size, asked_host = (
        _first(fields, name) for name in ("DownstreamContentSize", "RequestHost")
    )
    referrer = _first(fields, "request_Referer")
    # Traefik logs headers only if configured. If this one is configured but
    # missing, other request headers show that headers are logged.
    headers_are_kept = any(name.startswith("request_") for name in fields)
    return Line(
        address=client(_first(fields, "ClientHost", "ClientAddr")),
        at=any_time(time, zone),
        method=method,
        target=to_url(target),
        status=status_code(status),
        referrer=to_url(referrer),
        user_agent=_first(fields, "request_User-Agent") if headers_are_kept else None,
        identity="\0".join((time, method, target, status, size, referrer, asked_host)),
        host=host(asked_host),
    )


def decode(text: str) -> Fields:
    """Return the object in a line, with texts decoded as JSON. Raises Malformed."""
    if not text.startswith("{"):
        raise Malformed("no JSON object")
    try:
        return _load(text)
    except Malformed:
        # nginx without `escape=json` writes bytes as \xHH, which is not valid JSON.
        if "\\" not in _BYTE.sub("", text):
            return _load(_BYTE.sub(_as_json, text))
        raise


def _load(text: str) -> Fields:
    # Back to the bytes; those that are not UTF-8 become surrogates.
    told = text.encode("latin-1").decode("utf-8", "surrogateescape")
    try:
        found = json.loads(told, object_pairs_hook=_object, parse_float=_fraction)
    except Malformed:
        raise
    except (ValueError, RecursionError):
        raise Malformed("no JSON object") from None
    if not isinstance(found, dict):
        raise Malformed("no JSON object")
    return found


def _fraction(text: str) -> str | float:
    """Return the number as text: a double would round fractions of a second."""
    return float(text) if "e" in text.lower() else text


def _object(pairs: list[tuple[str, Any]]) -> Fields:
    found = dict(pairs)
    # In a log that does not escape quotes, a visitor's quotes can add keys.
    if len(found) != len(pairs):
        raise Malformed("a key stands twice")
    return found


def _as_json(matched: re.Match[str]) -> str:
    code = int(matched[1], 16)
    return chr(code) if code >= 0x80 else f"\\u{code:04x}"


def _first(fields: Fields, *names: str) -> str:
    """Return the first of these fields that is not empty; `""` if all are."""
    for name in names:
        if text := absent(_text(fields.get(name, ""))):
            return text
    return ""


def _text(value: Any) -> str:
    """Return a value as text with one character per byte."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    if not isinstance(value, str):
        return ""
    if value.isascii():
        return value
    try:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    except UnicodeEncodeError:
        raise Malformed("half a character") from None
