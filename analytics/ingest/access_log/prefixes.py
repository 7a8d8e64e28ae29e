"""Prefixes added to a log's lines by another program.

Syslog, journald and Docker have a few forms each. A prefix is removed only if the whole
log has it; a line without it is then malformed.
"""

import re
from collections.abc import Callable

from analytics.ingest.access_log.json_lines import decode
from analytics.ingest.access_log.requests import Malformed

Strip = Callable[[str], str]

_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)"
# Including the space; otherwise the first half of an IPv6 address would match.
_TAG = r"[^\s:\[\]]+(?:\[\d+\])?: "
# RFC 3164 as written by syslog and `journalctl`, with the old date or an ISO one.
_SYSLOG = re.compile(
    rf"(?:<\d{{1,3}}>)?(?:[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d|{_TIME})"
    rf" (?:[^\s\[\]]+ )?{_TAG}"
)
# Priority, version, time, host, program, process, message id, structured data.
_RFC_5424 = re.compile(
    rf"<\d{{1,3}}>1 (?:{_TIME}|-) \S+ \S+ \S+ \S+"
    r' (?:-|(?:\[[^"\]]*(?:"[^"\\]*(?:\\.[^"\\]*)*"[^"\]]*)*\])+) (?:\xef\xbb\xbf)?'
)
# `docker compose logs`, `docker logs --timestamps`, or both.
_DOCKER = re.compile(rf"(?:[\w.-]+ *\| {_TIME} |[\w.-]+ *\| |{_TIME} )")
# Kubernetes; P marks all parts but the last of a line that was too long.
_CONTAINERD = re.compile(rf"{_TIME} (?:stdout|stderr) ([FP])(?::\S*)? ")


def _matching(pattern: re.Pattern[str]) -> Strip:
    def strip(text: str) -> str:
        if matched := pattern.match(text):
            return text[matched.end() :]
        raise Malformed("no prefix as other lines have it")

    return strip


class _Parts:
    """Refuses every part of a line that was too long for the program.

    The last part too: a visitor could send text there that looks like a complete line.
    """

    def __init__(self) -> None:
        self._is_open = False

    def check(self, text: str, *, is_last: bool) -> str:
        was_open, self._is_open = self._is_open, not is_last
        if was_open or not is_last:
            raise Malformed("a part of a longer line")
        return text


def _containerd() -> Strip:
    parts = _Parts()

    def strip(text: str) -> str:
        if matched := _CONTAINERD.match(text):
            return parts.check(text[matched.end() :], is_last=matched[1] == "F")
        raise Malformed("no prefix as other lines have it")

    return strip


def _docker_json() -> Strip:
    """Docker's json-file: `{"log":"…\\n","stream":"stdout","time":"…"}`."""
    parts = _Parts()

    def strip(text: str) -> str:
        line = decode(text).get("log")
        if not isinstance(line, str):
            raise Malformed("no prefix as other lines have it")
        return parts.check(_to_bytes(line), is_last=line.endswith("\n"))

    return strip


def _journald_json(text: str) -> str:
    """`journalctl -o json`; bytes that are not text are a list of numbers."""
    line = decode(text).get("MESSAGE")
    if isinstance(line, list):
        try:
            return bytes(line).decode("latin-1")
        except (TypeError, ValueError):
            line = None
    if not isinstance(line, str):
        raise Malformed("no prefix as other lines have it")
    return _to_bytes(line)


def _to_bytes(text: str) -> str:
    try:
        return text.encode("utf-8", "surrogateescape").decode("latin-1")
    except UnicodeEncodeError:
        raise Malformed("half a character") from None


# Made anew for each log, because some depend on the previous line.
PREFIXES: dict[str, Callable[[], Strip]] = {
    "": lambda: str,
    "syslog": lambda: _matching(_SYSLOG),
    "syslog (RFC 5424)": lambda: _matching(_RFC_5424),
    "docker": lambda: _matching(_DOCKER),
    "docker json-file": _docker_json,
    "containerd": _containerd,
    "journald json": lambda: _journald_json,
}
