"""Custom log formats, written with Apache's LogFormat directives.

A directive in quotes is read up to the closing quote, with escapes; any other ends at a
space, or at the character that follows it in the format. So a line can be read in only
one way, and in linear time.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, tzinfo
from functools import partial
from typing import NamedTuple

from analytics.ingest.access_log.clf import explain
from analytics.ingest.access_log.requests import (
    MONTHS,
    Line,
    Malformed,
    absent,
    any_time,
    clf_time,
    client_or_name,
    host,
    iso_time,
    split_request,
    status_code,
    unescaped_url,
)

_MAX_LENGTH = 2_048

_TOKEN = re.compile(
    r"%[!\d,<>]*(?:\{([^}]*)\})?[!\d,<>]*(\^[A-Za-z]{2}|[A-Za-z%])|([^%]+)|(%)"
)
# All of Apache's directives; those that are not in `_PARTS` are skipped.
_LETTERS = set("aAbBCDefhHiIklLmnoOpPqrRsStTuUvVXcx") | {"^FB", "^ti", "^to"}
_NUMBERS = set("bBDIkOpPsST")

# The part of a request that a directive is; names of headers in lower case.
_PARTS = {
    **dict.fromkeys(("h", "a", "{c}a", "{c}h"), "client"),
    **dict.fromkeys(("{x-forwarded-for}i", "{x-real-ip}i"), "client"),
    **dict.fromkeys(("{cf-connecting-ip}i", "{true-client-ip}i"), "client"),
    **dict.fromkeys(("v", "V", "{host}i"), "host"),
    **dict.fromkeys(("b", "B", "O"), "size"),
    **dict.fromkeys(("L", "{unique_id}e"), "unique"),
    **{"r": "request", "m": "method", "U": "path", "q": "query", "s": "status"},
    **{"t": "time", "{referer}i": "referrer", "{user-agent}i": "agent"},
}
_EPOCHS = ("sec", "msec", "usec")
_FRACTIONS = ("msec_frac", "usec_frac")
# Letters of strftime from which a time can be reconstructed.
_CLOCK = {
    **{"Y": r"\d{4}", "b": r"[A-Z][a-z]{2}", "e": r"[ \d]\d", "z": r"[+-]\d\d:?\d\d"},
    **dict.fromkeys("mdHMS", r"\d\d"),
}
_SHORT = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "h": "%b"}


class BadPattern(ValueError):
    """A pattern cannot be used to read a log; the message is the reason."""


class _Word(NamedTuple):
    """A directive, or literal text.

    `key`: letter and parameter; empty for literal text.
    """

    key: str
    text: str


def compile_pattern(pattern: str, zone: tzinfo) -> Callable[[str], Line]:
    """Return a reader of lines. `zone`: the time zone of times without an offset.

    Raises BadPattern.
    """
    if len(pattern) > _MAX_LENGTH:
        raise BadPattern(f"The pattern has more than {_MAX_LENGTH:,} characters.")
    # As written in Apache's configuration, or without its quotes and escapes.
    words = list(_split(pattern.strip().replace('\\"', '"').replace("\\t", "\t")))
    parts: list[str] = []
    expression = "".join(_expressions(words, parts))
    _check(set(parts))
    return partial(_read, re.compile(rf"{expression}\s*", re.ASCII), parts, zone)


def _split(pattern: str) -> Iterator[_Word]:
    for parameter, letter, literal, stray in _TOKEN.findall(pattern):
        if stray or (letter and letter != "%" and letter not in _LETTERS):
            raise BadPattern(f"The pattern has an unknown word, %{letter}.")
        if literal or letter == "%":
            yield _Word("", literal or "%")
        elif letter == "t" and parameter:
            yield from _split_time(parameter.removeprefix("begin:"))
        else:
            name = parameter.lower()
            yield _Word(f"{{{name}}}{letter}" if name else letter, letter)


def _split_time(form: str) -> Iterator[_Word]:
    """Yield the directives in `%{...}t`: a time since 1970, or letters of strftime."""
    form = form.removeprefix("end:")
    if form in _EPOCHS or form in _FRACTIONS:
        yield _Word(f"{{{form}}}t", "t")
        return
    for short, long in _SHORT.items():
        form = form.replace(f"%{short}", long)
    for letter, literal in re.findall(r"%(.)|([^%]+)", form):
        if letter and letter not in _CLOCK:
            raise BadPattern(f"The pattern has a time that is not read, %{letter}.")
        yield _Word(f"%{letter}" if letter else "", literal or letter)


def _expressions(words: list[_Word], parts: list[str]) -> Iterator[str]:
    """Yield the regular expressions of the directives.

    The part of each group is appended to `parts`.
    """
    quotes = 0
    for number, word in enumerate(words):
        if not word.key:
            quotes += word.text.count('"')
            yield re.escape(word.text)
            continue
        before = words[number - 1].text if number else ""
        after = words[number + 1] if number + 1 < len(words) else _Word("", "")
        if after.key and not _may_touch(word, after):
            raise BadPattern("The pattern has two words with nothing between them.")
        parts.append(_part(word))
        if quotes % 2:
            is_alone = before.endswith('"') and after.text.startswith('"')
            yield f"({_in_quotes(word, is_alone=is_alone)})"
        else:
            follows = words[number + 2].text if number + 2 < len(words) else ""
            yield _outside(word, after.text, follows)


def _may_touch(word: _Word, after: _Word) -> bool:
    return after.key == "q" or (word.key[0] == "%" and after.key[0] == "%")


def _part(word: _Word) -> str:
    if word.key.startswith("%"):
        return word.key
    if word.text == "t" and word.key != "t":
        return "passed over" if word.key[1:-2] in _FRACTIONS else word.key
    return _PARTS.get(word.key, "passed over")


def _in_quotes(word: _Word, *, is_alone: bool) -> str:
    if word.key.startswith("%"):
        return _CLOCK[word.text]
    if word.key == "q":
        return r"(?:\?(?:[^\s\"\\]|\\.)*)?"
    if is_alone:
        return r"[^\"\\]*(?:\\.[^\"\\]*)*"
    return r"(?:[^\s\"\\?]|\\.)*" if word.key == "U" else r"(?:[^\s\"\\]|\\.)*"


def _outside(word: _Word, after: str, follows: str) -> str:
    if word.key.startswith("%"):
        return f"({_CLOCK[word.text]})"
    if word.key == "t":
        return r"\[([^\]]+)\]"
    if word.text in _NUMBERS or word.text == "t":
        return r"(-|\d+)"
    if word.key == "q":
        return r"((?:\?\S*)?)"
    if _PARTS.get(word.key) == "client" and after[:1] in (" ", "\t", ""):
        return r'([^\s,"]+(?:, ?[^\s,"]+)*)'
    # In `host:port` the port is recognised by its digits: IPv6 has colons as well.
    if after == ":" and follows in _NUMBERS:
        return r"(\S+)"
    stop = re.escape(after[:1]) if after.strip() else ""
    return rf"([^\s{'?' if word.key == 'U' else ''}{stop}]+)"


def _check(parts: set[str]) -> None:
    missing = []
    if "client" not in parts:
        missing.append("the client (%h, %a, %{X-Forwarded-For}i)")
    if not ({"request"} <= parts or {"method", "path"} <= parts):
        missing.append("the request (%r, or %m and %U%q)")
    if "status" not in parts:
        missing.append("the status (%>s)")
    clock = {"%Y", "%H", "%M", "%S"}
    if not (
        {"time", "{sec}t", "{msec}t", "{usec}t"} & parts
        or (clock <= parts and {"%m", "%b"} & parts and {"%d", "%e"} & parts)
    ):
        missing.append("the time (%t)")
    if missing:
        raise BadPattern(f"The pattern lacks {', '.join(missing)}.")


def _read(
    expression: re.Pattern[str], parts: list[str], zone: tzinfo, text: str
) -> Line:
    matched = expression.fullmatch(text)
    if matched is None:
        raise Malformed(explain(text))
    found: dict[str, str] = {}
    for part, value in zip(parts, matched.groups(), strict=True):
        # If there are two clients, or hosts, the first is used.
        found.setdefault(part, value)
    if "request" in found:
        method, target = split_request(found["request"])
        target = unescaped_url(target)
    else:
        method = found["method"]
        # Apache has decoded the path, so a `?` in it does not begin a query.
        path = unescaped_url(found["path"]).replace("?", "%3F").replace("#", "%23")
        target = path + unescaped_url(found.get("query", ""))
    agent = found.get("agent")
    referrer, asked_host = found.get("referrer", "-"), found.get("host", "")
    at = _time(found, zone)
    identity = (at.isoformat(), method, target, found["status"], found.get("size", ""))
    return Line(
        address=client_or_name(found["client"]),
        at=at,
        method=method,
        target=target,
        status=0 if found["status"] == "-" else status_code(found["status"]),
        referrer=unescaped_url(absent(referrer)),
        user_agent=None if agent is None else absent(agent),
        identity="\0".join((*identity, referrer, asked_host, found.get("unique", ""))),
        host=host(asked_host),
    )


def _time(found: Mapping[str, str], zone: tzinfo) -> datetime:
    if "time" in found:
        return clf_time(found["time"], zone)
    for unit in _EPOCHS:
        if number := found.get(f"{{{unit}}}t"):
            return any_time(number, zone)
    month = found.get("%m") or ""
    if not month:
        place, rest = divmod(MONTHS.find(found["%b"]), 3)
        month = f"{place + 1:02}" if not rest else "00"
    day = (found.get("%d") or found["%e"]).strip().zfill(2)
    clock = ":".join(found[f"%{letter}"] for letter in "HMS")
    return iso_time(f"{found['%Y']}-{month}-{day}T{clock}{found.get('%z', '')}", zone)
