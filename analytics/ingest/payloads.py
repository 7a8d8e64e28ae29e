"""Decoding and validating received events."""

import hashlib
import io
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from itertools import islice
from operator import attrgetter
from typing import (
    Any,
    Literal,
    TypeVar,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec

from analytics import countries, events
from analytics.currencies import is_currency
from analytics.ingest import client_address, moments, pages
from analytics.ingest.shapes import (
    MAX_EVENT_ID,
    MAX_NAME,
    MAX_PROP,
    MAX_PROPS,
    MAX_URL,
    Refund,
    Sent,
    ServerEvent,
)
from analytics.ingest.user_agents import MAX_LABEL
from analytics.questions.labels import DEVICES
from krafter.errors import Details
from krafter.fields import not_a_choice
from krafter.parsing import NO_ARRAY, numbers_out_of_range

MAX_BATCH = 1_000
MAX_AHEAD = timedelta(hours=24)
# No event is older, and time zone arithmetic cannot leave the calendar.
EARLIEST_YEAR = 1990


class Malformed(Exception):
    """A body that is not JSON, or is an array; the text is for the sender."""

    def __init__(self, sentence: str = "Malformed JSON") -> None:
        super().__init__(sentence)


class Rejected(Exception):
    """An event that cannot be stored: messages by field."""

    def __init__(self, details: Details) -> None:
        super().__init__(details)
        self.details = details


class _Exact(msgspec.Struct):
    timestamp: Decimal


class _MaybeRefund(msgspec.Struct):
    refund_of: Any = None


_AS_BATCH = 'Send one event as a JSON object, or several as {"events": [...]}'


def split(body: bytes) -> tuple[list[bytes], bool]:
    """The events in a server's request, undecoded, and whether it is a batch.

    One event is an object; a batch is `{"events": [...]}`. Raises Malformed,
    Rejected.
    """
    fields = decode_body(body, dict[str, msgspec.Raw], instead_of_array=_AS_BATCH)
    if "events" not in fields:
        # Raw does not check the syntax of nested values.
        _check_syntax(body)
        return [body], False
    if extra := fields.keys() - {"events"}:
        raise Rejected({name: ["Unknown field."] for name in sorted(extra)})
    try:
        items = msgspec.json.decode(fields["events"], type=list[msgspec.Raw])
    except msgspec.ValidationError:
        raise Rejected({"events": ["Must be a list."]}) from None
    return _check_number([bytes(item) for item in items]), True


def split_lines(body: bytes) -> list[bytes]:
    """Return the events of an NDJSON body, without blank lines.

    Raises Rejected.
    """
    lines = (line for line in io.BytesIO(body) if not line.isspace())
    return _check_number(list(islice(lines, MAX_BATCH + 1)))


def _check_syntax(body: bytes) -> None:
    try:
        try:
            msgspec.json.decode(body)
        except msgspec.ValidationError:
            raise Rejected(numbers_out_of_range(body)) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Malformed from None


def _check_number(items: list[bytes]) -> list[bytes]:
    if not 0 < len(items) <= MAX_BATCH:
        raise Rejected({"events": [f"Must have 1 to {MAX_BATCH} events."]})
    return items


def is_refund(raw: bytes) -> bool:
    """Whether a server's event is a refund. Raises Malformed, Rejected."""
    # Few events are refunds; the others need not be decoded twice.
    if b'"refund_of"' not in raw:
        return False
    return decode(raw, _MaybeRefund).refund_of is not None


# Validation


_Shape = TypeVar("_Shape")
_UNKNOWN = re.compile(r"contains unknown field `(.*)`")
_MISSING = re.compile(r"missing required field `(.*)`")
_NO_CHOICE = re.compile(r"Invalid enum value '(.*)'", re.DOTALL)
_PATH = re.compile(r" - at `\$\.([^`]*)`$")


@cache
def _choices(shape: type[Any]) -> dict[str, tuple[str, ...]]:
    """Check the values of fields that have a fixed choice."""
    kinds = get_type_hints(shape)
    return {
        name: get_args(kind)
        for name, kind in kinds.items()
        if get_origin(kind) is Literal
    }


# Cached: making a decoder takes longer than decoding with it.
_decoder: Callable[[Any], msgspec.json.Decoder[Any]] = lru_cache(msgspec.json.Decoder)


def decode(raw: bytes, shape: type[_Shape]) -> _Shape:
    try:
        return cast(_Shape, _decoder(shape).decode(raw))
    except msgspec.ValidationError as error:
        raise Rejected(_explain(str(error), shape)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed from None


def decode_body(
    body: bytes, shape: type[_Shape], *, instead_of_array: str = NO_ARRAY
) -> _Shape:
    """Like `decode`, but a body that is not an object is Malformed, not Rejected."""
    if not (first := body.lstrip(b" \t\r\n")).startswith(b"{"):
        if first.startswith(b"["):
            _check_syntax(body)
            raise Malformed(instead_of_array)
        raise Malformed
    return decode(body, shape)


def _explain(message: str, shape: Any) -> Details:
    """Return msgspec's message as details of the field that it names."""
    if unknown := _UNKNOWN.search(message):
        return {unknown[1]: ["Unknown field."]}
    if missing := _MISSING.search(message):
        return {missing[1]: ["This field is required."]}
    if path := _PATH.search(message):
        name, said = path[1].replace("[...]", ""), message[: path.start()]
        if wrong := _NO_CHOICE.fullmatch(said):
            return {name: [not_a_choice(wrong[1], _choices(shape)[name])]}
        return {name: [said + "."]}
    return {"non_field_errors": [message + "."]}


_PLAIN_AMOUNT = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_TEXT_AS_REVENUE = re.compile(rb'"revenue"\s*:\s*"')


def is_plain_amount(text: str) -> bool:
    """Whether a text is an unambiguous amount: ASCII digits with at most one point.

    Python's Decimal also accepts `1e3`, `1_000` and digits of other scripts.
    """
    return _PLAIN_AMOUNT.fullmatch(text) is not None


def _has_doubtful_amount(raw: bytes) -> bool:
    # Most amounts are numbers; only strings are decoded twice.
    if not _TEXT_AS_REVENUE.search(raw):
        return False
    revenue = msgspec.json.decode(raw).get("revenue")
    return isinstance(revenue, str) and not is_plain_amount(revenue)


_DOUBTFUL_AMOUNT = "A text must be digits with at most a point, such as 49.99."


def wrong(sent: Sent, raw: bytes, day: date) -> Details:
    """Return the errors of an event, except for values that are too long.

    `raw` is the JSON text of the event, `day` the day on which it happened.
    """
    details: Details = {}
    if sent.type == "pageview":
        if not (sent.url or sent.name):
            details["url"] = ["A page view needs its URL."]
    elif not sent.name:
        details["name"] = ["This field is required."]
    if sent.revenue is not None and not (
        sent.revenue.is_finite() and 0 <= sent.revenue <= events.MAX_AMOUNT
    ):
        details["revenue"] = [f"Must be from 0 to {events.MAX_AMOUNT}."]
    elif _has_doubtful_amount(raw):
        details["revenue"] = [_DOUBTFUL_AMOUNT]
    if sent.currency is not None:
        if not is_currency(sent.currency, day):
            details["currency"] = ["Not an active ISO 4217 code in capitals."]
        elif sent.revenue is None:
            details["currency"] = ["Needs revenue."]
    if sent.props is not None and len(sent.props) > MAX_PROPS:
        details["props"] = [f"At most {MAX_PROPS} keys."]
    if sent.id == "":
        details["id"] = ["May not be blank."]
    # PostgreSQL stores no NUL in a text, and JSON has one way to write it.
    return details | _nulls(sent) if b"\\u0000" in raw else details


def _nulls(sent: Sent) -> Details:
    details: Details = {}
    for field, text in zip(_LIMITS, _texts(sent), strict=True):
        if text and "\0" in text:
            details[field] = ["Null characters are not allowed."]
    for key, value in (sent.props or {}).items():
        if "\0" in key or (isinstance(value, str) and "\0" in value):
            details["props"] = ["Null characters are not allowed."]
    return details


# The maximum lengths of texts, read from the fields.
_LIMITS: dict[str, int] = {
    name: text["maxLength"]
    for name, field in msgspec.json.schema(Sent)["$defs"]["Sent"]["properties"].items()
    for text in field.get("anyOf", ())
    if "maxLength" in text
}
_SHORT = min(MAX_NAME, MAX_URL, MAX_PROP)
_texts = attrgetter(*_LIMITS)


def over_long(sent: Sent, *, size: int | None = None) -> Details:
    """Return values that are too long. `size`: the length of the JSON, if known."""
    # Most events are shorter than the shortest limit, and need no further check.
    if size is not None and size <= _SHORT and len(sent.id or "") <= MAX_EVENT_ID:
        return {}
    details: Details = {}
    for (field, limit), text in zip(_LIMITS.items(), _texts(sent), strict=True):
        if text and len(text) > limit:
            details[field] = [f"At most {limit} characters."]
    if sent.props:
        for key, value in sent.props.items():
            texts = (key, value) if isinstance(value, str) else (key,)
            if any(len(text) > MAX_PROP for text in texts):
                details["props"] = [f"At most {MAX_PROP} characters a key or value."]
    return details


def cut(sent: Sent) -> None:
    """Cut long texts of a page; URLs are cut when they are parsed.

    An id is replaced by a digest: a part of it could equal another event's id.
    """
    if sent.name:
        sent.name = sent.name[:MAX_NAME]
    if sent.id and len(sent.id) > MAX_EVENT_ID:
        sent.id = hashlib.sha256(sent.id.encode()).hexdigest()
    if sent.props:
        sent.props = {
            key[:MAX_PROP]: value[:MAX_PROP] if isinstance(value, str) else value
            for key, value in sent.props.items()
        }


def wrong_refund(sent: Refund, raw: bytes) -> Details:
    details: Details = {}
    # Ids and names are only compared with stored ones, so that their length
    # and words need no check; PostgreSQL compares no NUL.
    for field in ("refund_of", "id", "name"):
        if "\0" in (getattr(sent, field) or ""):
            details[field] = ["Null characters are not allowed."]
    if sent.id is not None and not 0 < len(sent.id) <= MAX_EVENT_ID:
        details["id"] = [f"Must have 1 to {MAX_EVENT_ID} characters."]
    if not (
        sent.revenue.is_finite()
        and 0 < sent.revenue <= events.MAX_AMOUNT
        and events.to_amount(sent.revenue)
    ):
        details["revenue"] = [f"Must be more than 0, at most {events.MAX_AMOUNT}."]
    elif _has_doubtful_amount(raw):
        details["revenue"] = [_DOUBTFUL_AMOUNT]
    return details


def when(
    sent: ServerEvent | Refund, raw: bytes, now: datetime
) -> tuple[datetime, Details]:
    """Return the event's time in UTC, and messages; `now` without a valid time."""
    told = sent.timestamp
    if told is None:
        return now, {}
    if isinstance(told, str):
        at = moments.parse(told)
        wrong = "Must be a time such as 2026-02-18T12:00:00Z."
    else:
        # A double would round fractions instead of cutting them.
        number = (
            told if isinstance(told, int) else _decoder(_Exact).decode(raw).timestamp
        )
        at = moments.since_1970(number)
        wrong = "Must be a number of seconds or milliseconds since 1970."
    if at is None:
        return now, {"timestamp": [wrong]}
    if at.tzinfo is None:
        return now, {"timestamp": ["Must say its offset, such as Z."]}
    if at > now + MAX_AHEAD:
        return now, {"timestamp": ["Must not be more than 24 hours ahead."]}
    if at.year < EARLIEST_YEAR:
        return now, {"timestamp": [f"Must not be before {EARLIEST_YEAR}."]}
    return at.astimezone(UTC), {}


# The labels that a server may send, except the referrer, with their maximum lengths.
_LABEL_LENGTHS = {
    "browser": MAX_LABEL,
    "os": MAX_LABEL,
    **{f"utm_{part}": pages.MAX_LABEL for part in pages.UTM},
}
_label_texts = attrgetter(*_LABEL_LENGTHS)


def wrong_labels(sent: ServerEvent) -> Details:
    # Most servers send none of them.
    if sent.country is None and sent.device is None and not any(_label_texts(sent)):
        return {}
    details: Details = {}
    if sent.country is not None and sent.country not in countries.codes():
        details["country"] = ["Not an ISO 3166 code in capitals, such as DE."]
    if sent.device is not None and sent.device not in DEVICES:
        details["device"] = [not_a_choice(sent.device, DEVICES)]
    for (label, length), text in zip(
        _LABEL_LENGTHS.items(), _label_texts(sent), strict=True
    ):
        if text and "\0" in text:
            details[label] = ["Null characters are not allowed."]
        elif text and len(text) > length:
            details[label] = [f"At most {length} characters."]
    return details


def wrong_origin(sent: ServerEvent) -> Details:
    """Return the errors in the labels and the visitor of a server's event."""
    details = wrong_labels(sent)
    if sent.visitor_id is None and not (sent.ip and sent.user_agent):
        details["visitor_id"] = ["Give visitor_id, or ip and user_agent."]
    if sent.visitor_id is not None and not 0 < len(sent.visitor_id) <= MAX_PROP:
        details["visitor_id"] = [f"Must have 1 to {MAX_PROP} characters."]
    if "\0" in (sent.user_agent or ""):
        details["user_agent"] = ["Null characters are not allowed."]
    if sent.ip and not client_address.is_address(sent.ip):
        details["ip"] = ["Not an IP address."]
    return details
