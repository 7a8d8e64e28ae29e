"""Events as they are sent: their shapes, and what may be wrong with them."""

import hashlib
import io
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec
from msgspec import Meta

from analytics import events
from analytics.currencies import is_currency
from analytics.ingest import client_address
from krafter.errors import Details

MAX_BATCH = 1_000
MAX_URL = 2_048
MAX_NAME = 1_024
MAX_EVENT_ID = 64
MAX_PROPS = 30
MAX_PROP = 1_024
MAX_AHEAD = timedelta(hours=24)
# Leaves room for every time zone's arithmetic, and no event is older.
EARLIEST_YEAR = 1990


class Malformed(Exception):
    """A body that is not JSON."""


class Rejected(Exception):
    """An event that cannot be stored: messages by field."""

    def __init__(self, details: Details) -> None:
        super().__init__(details)
        self.details = details


def _limit(**said: Any) -> Meta:
    """What the document says of a field, and `over_long` and `wrong` check.

    Not by msgspec's own limits: decoding would end at the first wrong field, and
    an answer names all of them. A tracker's event may be longer, and is dropped.
    """
    return Meta(extra_json_schema=said)


# PostgreSQL stores no NUL in a text.
_NO_NUL = r"^[^\x00]*$"
_Name = Annotated[str, _limit(maxLength=MAX_NAME, pattern=_NO_NUL)]
_Url = Annotated[str, _limit(maxLength=MAX_URL, pattern=_NO_NUL)]
_Id = Annotated[str, _limit(minLength=1, maxLength=MAX_EVENT_ID, pattern=_NO_NUL)]
_OwnId = Annotated[
    _Id | None, Meta(description="Your own: what repeats it is counted once.")
]
_Prop = Annotated[str, _limit(maxLength=MAX_PROP, pattern=_NO_NUL)]
_Visitor = Annotated[str, _limit(minLength=1, maxLength=MAX_PROP, pattern=_NO_NUL)]
_Text = Annotated[str, _limit(pattern=_NO_NUL)]
_Currency = Annotated[str, _limit(anyOf=[{"$ref": "#/components/schemas/Currency"}])]
_When = Annotated[
    Annotated[datetime, _limit(format="date-time")] | None,
    Meta(description="With an offset; at most 24 hours ahead. Now, if left out."),
]
_DECIMAL: dict[str, Any] = {
    "type": "string",
    "pattern": r"^[0-9]{1,12}(\.[0-9]{1,4})?$",
}
_NUMBER: dict[str, Any] = {"type": "number", "maximum": int(events.MAX_AMOUNT)}
_Amount = Annotated[Decimal, _limit(anyOf=[_NUMBER | {"minimum": 0}, _DECIMAL])]
_Refunded = Annotated[
    Decimal, _limit(anyOf=[_NUMBER | {"exclusiveMinimum": 0}, _DECIMAL])
]
_PropValue = _Prop | int | float | bool | None
_Props = Annotated[dict[_Prop, _PropValue], _limit(maxProperties=MAX_PROPS)]


class Sent(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An event as it is sent: the fields that every way in shares."""

    type: Literal["pageview", "event", "goal"]
    name: Annotated[
        _Name | None, Meta(description="Of the event or goal; not for a page view.")
    ] = None
    url: Annotated[
        _Url | None, Meta(description="The page: required for a page view.")
    ] = None
    referrer: Annotated[_Url | None, Meta(description="URL of the page before.")] = None
    revenue: Annotated[
        _Amount | None,
        Meta(description="A number, or one in a string for every decimal to count."),
    ] = None
    currency: _Currency | None = None
    props: _Props | None = None
    id: _OwnId = None


class TrackedEvent(Sent, kw_only=True, forbid_unknown_fields=True):
    site: Annotated[str, Meta(description="The site's public key.")]


# An event of which the caller knows when it happened and to whom.
class ServerEvent(Sent, kw_only=True, forbid_unknown_fields=True):
    timestamp: _When = None
    visitor_id: Annotated[
        _Visitor | None,
        Meta(description="Or else `ip` and `user_agent`. Not stored."),
    ] = None
    ip: Annotated[str | None, Meta(description="Not stored.")] = None
    user_agent: Annotated[str | None, Meta(description="Not stored.")] = None
    # With an event's id the whole is a Refund.
    refund_of: None = None


class AnyEvent(ServerEvent, kw_only=True, forbid_unknown_fields=True):
    site: Annotated[str | None, Meta(description="The site's public key.")] = None


_OfTheEvent = Annotated[
    _Text | None, Meta(description="Must be that of the event, if given.")
]


# Money given back; who, where and what it was for is the event's.
class Refund(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    refund_of: Annotated[
        _Text, Meta(description="The `id` of the event that is given back.")
    ]
    revenue: Annotated[
        _Refunded, Meta(description="At most what is left of the event's.")
    ]
    currency: _OfTheEvent = None
    id: _OwnId = None
    timestamp: _When = None
    type: _OfTheEvent = None
    name: _OfTheEvent = None


class _MaybeRefund(msgspec.Struct):
    refund_of: Any = None


def split(body: bytes) -> tuple[list[bytes], bool]:
    """The events in a server's request, undecoded, and whether it is a batch.

    One event is an object; a batch is `{"events": [...]}`. Raises Malformed,
    Rejected.
    """
    fields = decode_body(body, dict[str, msgspec.Raw])
    if "events" not in fields:
        # Raw skips what is inside; a broken text there is malformed as well.
        decode(body, dict[str, Any])
        return [body], False
    if extra := fields.keys() - {"events"}:
        raise Rejected({name: ["Unknown field."] for name in sorted(extra)})
    try:
        items = msgspec.json.decode(fields["events"], type=list[msgspec.Raw])
    except msgspec.ValidationError:
        raise Rejected({"events": ["Must be a list."]}) from None
    return _check_number([bytes(item) for item in items]), True


def split_lines(body: bytes) -> list[bytes]:
    """The events of a body with one a line, blank lines left out.

    Raises Rejected.
    """
    lines = (line for line in io.BytesIO(body) if not line.isspace())
    return _check_number(list(islice(lines, MAX_BATCH + 1)))


def _check_number(items: list[bytes]) -> list[bytes]:
    if not 0 < len(items) <= MAX_BATCH:
        raise Rejected({"events": [f"Must have 1 to {MAX_BATCH} events."]})
    return items


def is_refund(raw: bytes) -> bool:
    """Whether a server's event is a refund. Raises Malformed, Rejected."""
    # Hardly any is: most are told apart without being decoded twice.
    if b'"refund_of"' not in raw:
        return False
    return decode(raw, _MaybeRefund).refund_of is not None


# What may be wrong with an event


_Shape = TypeVar("_Shape")
_UNKNOWN = re.compile(r"contains unknown field `(.*)`")
_MISSING = re.compile(r"missing required field `(.*)`")
_PATH = re.compile(r" - at `\$\.([^`]*)`$")


# Made once for each shape, which takes longer than decoding with it.
_decoder: Callable[[Any], msgspec.json.Decoder[Any]] = lru_cache(msgspec.json.Decoder)


def decode(raw: bytes, shape: type[_Shape]) -> _Shape:
    try:
        return cast(_Shape, _decoder(shape).decode(raw))
    except msgspec.ValidationError as error:
        raise Rejected(_explain(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed from None


def decode_body(body: bytes, shape: type[_Shape]) -> _Shape:
    """As `decode`; a whole body that is no object is malformed, no wrong field."""
    if not body.lstrip(b" \t\r\n").startswith(b"{"):
        raise Malformed
    return decode(body, shape)


def _explain(message: str) -> Details:
    """msgspec's one sentence as a message under the field that it names."""
    if unknown := _UNKNOWN.search(message):
        return {unknown[1]: ["Unknown field."]}
    if missing := _MISSING.search(message):
        return {missing[1]: ["This field is required."]}
    if path := _PATH.search(message):
        return {path[1].replace("[...]", ""): [message[: path.start()] + "."]}
    return {"non_field_errors": [message + "."]}


_PLAIN_AMOUNT = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_TEXT_AS_REVENUE = re.compile(rb'"revenue"\s*:\s*"')


def is_plain_amount(text: str) -> bool:
    """Whether a text is an amount beyond doubt: digits, a point and digits.

    Python's Decimal also takes `1e3`, `1_000` and the digits of every script.
    """
    return _PLAIN_AMOUNT.fullmatch(text) is not None


def _has_doubtful_amount(raw: bytes) -> bool:
    # Most amounts are numbers: only a text is decoded twice.
    if not _TEXT_AS_REVENUE.search(raw):
        return False
    revenue = msgspec.json.decode(raw).get("revenue")
    return isinstance(revenue, str) and not is_plain_amount(revenue)


_DOUBTFUL_AMOUNT = "A text must be digits with at most a point, such as 49.99."


def wrong(sent: Sent, raw: bytes, day: date) -> Details:
    """What no event may have, over-long values apart.

    `raw` is what was sent, `day` when the event happened.
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


# The longest texts, as the fields say it.
_LIMITS: dict[str, int] = {
    name: text["maxLength"]
    for name, field in msgspec.json.schema(Sent)["$defs"]["Sent"]["properties"].items()
    for text in field.get("anyOf", ())
    if "maxLength" in text
}
_SHORT = min(MAX_NAME, MAX_URL, MAX_PROP)
_texts = attrgetter(*_LIMITS)


def over_long(sent: Sent, *, size: int | None = None) -> Details:
    """What is longer than it may be; `size`: how long the whole was, if known."""
    # No text is longer than the whole, and most events are shorter than one may be.
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
    """Shorten what a page sent too long; URLs are cut where their parts are read.

    An id is replaced by a digest: a part of it could be that of another event.
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


def wrong_time(timestamp: datetime | None, now: datetime) -> Details:
    if timestamp is None:
        return {}
    if timestamp.tzinfo is None:
        return {"timestamp": ["Must say its offset, such as Z."]}
    if timestamp > now + MAX_AHEAD:
        return {"timestamp": ["Must not be more than 24 hours ahead."]}
    if timestamp.year < EARLIEST_YEAR:
        return {"timestamp": [f"Must not be before {EARLIEST_YEAR}."]}
    return {}


def wrong_origin(sent: ServerEvent, now: datetime) -> Details:
    """What a server may get wrong about when and who."""
    details = wrong_time(sent.timestamp, now)
    if sent.visitor_id is None and not (sent.ip and sent.user_agent):
        details["visitor_id"] = ["Give visitor_id, or ip and user_agent."]
    if sent.visitor_id is not None and not 0 < len(sent.visitor_id) <= MAX_PROP:
        details["visitor_id"] = [f"Must have 1 to {MAX_PROP} characters."]
    if "\0" in (sent.user_agent or ""):
        details["user_agent"] = ["Null characters are not allowed."]
    if sent.ip and not client_address.is_address(sent.ip):
        details["ip"] = ["Not an IP address."]
    return details
