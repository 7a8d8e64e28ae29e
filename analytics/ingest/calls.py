"""What the tracker sends: the calls of a page, in order, as they were made.

A request has one or more calls: the time of the call, the page's URL, and the call
itself, such as `["goal", "purchase", 49.99]`. A page cannot react to an error, so an
invalid part of a call is left out and the rest is stored. With `data-debug` the
response lists what was left out.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from analytics import events
from analytics.currencies import is_currency
from analytics.ingest import payloads, shapes
from krafter.errors import Details

MAX_CALLS = 100
# The maximum age of a call when its request arrives.
MAX_AGO = timedelta(hours=1)
# More than the clocks of several servers differ.
_MAX_AHEAD = timedelta(minutes=1)


class Sent(msgspec.Struct, forbid_unknown_fields=True):
    """`at` and the time of each call are milliseconds since the page was opened.

    `last`: the beginning of the response to the previous request.
    """

    site: str
    calls: list[Any]
    at: float | None = None
    referrer: str | None = None
    last: str | None = None
    debug: str | None = None


class Call(NamedTuple):
    """The event of a call, and messages about the parts that were left out."""

    event: shapes.TrackedEvent
    left_out: Details


def read(body: bytes) -> Sent | None:
    """The calls in a body; None if it is a single event. Raises as `decode_body`."""
    if b'"calls"' not in body:
        return None
    body = _without_halves(body)
    if "calls" not in payloads.decode_body(body, dict[str, msgspec.Raw]):
        return None
    sent = payloads.decode_body(body, Sent)
    if not 0 < len(sent.calls) <= MAX_CALLS:
        raise payloads.Rejected({"calls": [f"Must have 1 to {MAX_CALLS} calls."]})
    return sent


# An unpaired surrogate, which remains when a page cuts a text inside an emoji.
_HALF = re.compile(
    rb"(?<!\\)((?:\\\\)*)(?:"
    rb"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def _without_halves(body: bytes) -> bytes:
    """Replace unpaired surrogates, which UTF-8 cannot represent, by U+FFFD."""
    if rb"\ud" not in body and rb"\uD" not in body:
        return body
    return _HALF.sub(lambda m: m[1] + (m[2] or rb"\ufffd"), body)


# When


def times(sent: Sent, now: datetime) -> list[datetime]:
    """The time of each call: increasing, and later than those of the last request."""
    before = _last(sent.last, now)
    found = []
    for call in sent.calls:
        at = now - _ago(sent.at, call)
        if before is not None:
            at = max(at, before + timedelta(microseconds=1))
        found.append(at)
        before = at
    return found


def _ago(sent_at: float | None, call: Any) -> timedelta:
    made_at = call[0] if isinstance(call, list) and call else None
    if sent_at is None or made_at is None or not _is_number(made_at):
        return timedelta()
    # Limited before it is subtracted: an integer may be too long for a float.
    earliest = sent_at - MAX_AGO.total_seconds() * 1_000
    made_at = min(max(made_at, earliest), sent_at)
    return timedelta(milliseconds=sent_at - made_at)


_LAST = re.compile(r'"at":(\d{1,16})')


def _last(answer: str | None, now: datetime) -> datetime | None:
    found = _LAST.search(answer or "")
    if found is None:
        return None
    at = datetime.fromtimestamp(min(int(found[1]), 10**14) / 1_000, UTC)
    return at if at <= now + _MAX_AHEAD else None


# What


def event(sent: Sent, call: Any, day: date) -> Call:
    """The event of a call on that day. Raises Rejected if the call is invalid."""
    match call:
        case [_, str(url), str(method), *arguments] if method in _METHODS:
            found = _METHODS[method](arguments, day)
        case _:
            raise payloads.Rejected({"call": [f"Not one of {', '.join(_METHODS)}."]})
    fields, left_out = found
    event = shapes.TrackedEvent(
        site=sent.site,
        url=_routed(_clean(url)),
        referrer=_clean(sent.referrer) if sent.referrer else None,
        **fields,
    )
    if details := payloads.wrong(event, b"", day):
        raise payloads.Rejected(details)
    return Call(event, left_out)


def _routed(url: str) -> str:
    """The URL with the route of its fragment, if it has one, in its path.

    The tracker sends fragments only with `data-hash`. A route is a path below the
    page's folder; both queries may contain campaign labels.
    """
    page, _, fragment = url.partition("#")
    route = fragment.removeprefix("!")
    if not route.startswith("/"):
        return page
    page, _, query = page.partition("?")
    path, _, route_query = route[1:].partition("?")
    if path:
        page = f"{page.rpartition('/')[0]}/{path}"
    query = "&".join(filter(None, (query, route_query)))
    return f"{page}?{query}" if query else page


_Fields = tuple[dict[str, Any], Details]


def _track(arguments: list[Any], day: date) -> _Fields:
    left_out: Details = {}
    name, props = _padded(arguments, 2)
    fields = {"type": "event", "name": _name(name), "props": _props(props, left_out)}
    return fields, left_out


def _goal(arguments: list[Any], day: date) -> _Fields:
    """`goal(name, amount?, options?)` or `goal(name, {amount, ...options}?)`."""
    left_out: Details = {}
    name, amount, options = _padded(arguments, 3)
    if isinstance(amount, dict):
        options, amount = amount, amount.get("amount")
    elif options is not None and not isinstance(options, dict):
        left_out["options"] = ["Must be an object."]
        options = None
    options = options or {}
    for unknown in options.keys() - {"amount", "currency", "id", "props"}:
        left_out[unknown] = ["Unknown option."]
    fields = {
        "type": "goal",
        "name": _name(name),
        "id": _id(options.get("id"), left_out),
        "props": _props(options.get("props"), left_out),
    }
    return fields | _money(amount, options.get("currency"), day, left_out), left_out


def _page(arguments: list[Any], day: date) -> _Fields:
    # The tracker has put the URL that was given in the place of the page's.
    return {"type": "pageview"}, {}


_METHODS: dict[str, Callable[[list[Any], date], _Fields]] = {
    "track": _track,
    "goal": _goal,
    "page": _page,
}


def _padded(arguments: list[Any], number: int) -> list[Any]:
    return [*arguments, *[None] * number][:number]


def _name(name: Any) -> str | None:
    if _is_number(name) or isinstance(name, bool):
        return msgspec.json.encode(name).decode()
    return _clean(name) if isinstance(name, str) else None


def _money(amount: Any, currency: Any, day: date, left_out: Details) -> dict[str, Any]:
    """The amount and its currency; neither if one of them is invalid."""
    if amount is None:
        return {}
    revenue = _amount(amount)
    if revenue is None:
        left_out["amount"] = [
            f"Not an amount from 0 to {events.MAX_AMOUNT}, such as 49.99."
        ]
        return {}
    if currency is None:
        return {"revenue": revenue}
    code = currency.strip().upper() if isinstance(currency, str) else ""
    if not is_currency(code, day):
        left_out["amount"] = ["Left out with its currency."]
        left_out["currency"] = ["Not an active ISO 4217 code."]
        return {}
    return {"revenue": revenue, "currency": code}


# "1.299" is 1299 in countries where the point separates thousands.
_THOUSANDS = re.compile(r"[1-9]\d{0,2}\.\d{3}", re.ASCII)


def _amount(value: Any) -> Decimal | None:
    if isinstance(value, str):
        value = value.strip()
        if not payloads.is_plain_amount(value) or _THOUSANDS.fullmatch(value):
            return None
    elif not _is_number(value):
        return None
    amount = Decimal(str(value))
    # A NaN cannot be compared.
    is_amount = amount.is_finite() and 0 <= amount <= events.MAX_AMOUNT
    return amount if is_amount else None


def _id(value: Any, left_out: Details) -> str | None:
    if value is None or value == "":
        return None
    if _is_number(value):
        value = msgspec.json.encode(value).decode()
    if not isinstance(value, str) or not (text := _clean(value)):
        left_out["id"] = ["Must be a text or a number."]
        return None
    return text


def _props(value: Any, left_out: Details) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        left_out["props"] = ["Must be an object."]
        return None
    props: dict[str, Any] = {}
    for key, part in value.items():
        if len(props) >= shapes.MAX_PROPS:
            left_out[f"props.{key}"] = [f"At most {shapes.MAX_PROPS} keys."]
        elif isinstance(part, dict | list):
            left_out[f"props.{key}"] = ["Must be a text, a number, true or false."]
        else:
            props[_clean(key)] = _clean(part) if isinstance(part, str) else part
    return props


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _clean(text: str) -> str:
    # PostgreSQL stores no NUL in a text.
    return text.replace("\0", "")
