"""From what a tracker or a server sends to an event that is stored.

Two ways in, one pipeline: decode, drop by the rules (the tracker's way only),
normalise, append. Knows nothing of goals.
"""

import io
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any, Literal, NamedTuple, TypeVar, cast

import msgspec
import re2

from analytics import agents, events, pages, sites, visitors
from analytics.currencies import EXPONENTS
from analytics.models import Site
from krafter.api import Details

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


class Sent(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An event as it is sent: the fields that every way in shares."""

    type: Literal["pageview", "event", "goal"]
    name: str | None = None
    url: str | None = None
    referrer: str | None = None
    revenue: Decimal | None = None
    currency: str | None = None
    props: dict[str, str | int | float | bool | None] | None = None
    id: str | None = None


class SentByTracker(Sent, kw_only=True, forbid_unknown_fields=True):
    site: str


class SentByServer(Sent, kw_only=True, forbid_unknown_fields=True):
    """An event of which the caller knows when it happened and to whom."""

    timestamp: datetime | None = None
    visitor_id: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    # With an event's id the whole is a SentRefund.
    refund_of: None = None


class SentByAnyone(SentByServer, kw_only=True, forbid_unknown_fields=True):
    site: str | None = None


class SentRefund(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Money given back; who, where and what it was for is the event's."""

    refund_of: str
    revenue: Decimal
    currency: str | None = None
    id: str | None = None
    timestamp: datetime | None = None
    type: str | None = None
    name: str | None = None


class _MaybeRefund(msgspec.Struct):
    refund_of: Any = None


class Hit(NamedTuple):
    """A tracker's event with everything that the drop rules look at."""

    sent: SentByTracker
    site: Site | None
    page: pages.Page
    address: str
    user_agent: str
    environ: Mapping[str, Any]


def _is_prefetch(hit: Hit) -> bool:
    headers = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ")
    purpose = " ".join(hit.environ.get(header, "") for header in headers)
    return any(word in purpose for word in ("prefetch", "prerender", "preview"))


def _asks_not_to_be_tracked(hit: Hit) -> bool:
    asks = "1" in (hit.environ.get("HTTP_DNT"), hit.environ.get("HTTP_SEC_GPC"))
    return asks and _site(hit).honour_dnt


def _is_foreign_host(hit: Hit) -> bool:
    """A page of another site that carries this one's public key."""
    host, site = hit.page.host, _site(hit)
    own = (site.domain, *site.allowed_hosts)
    return bool(host) and not any(
        host == name or host.endswith(f".{name}") for name in own
    )


def _is_excluded_ip(hit: Hit) -> bool:
    networks = _networks(tuple(_site(hit).excluded_ips))
    return bool(networks) and visitors.is_within(hit.address, networks)


@lru_cache(maxsize=1_024)
def _networks(
    texts: tuple[str, ...],
) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def _is_excluded_path(hit: Hit) -> bool:
    patterns = _site(hit).excluded_paths
    return any(_wildcard(pattern).fullmatch(hit.page.path) for pattern in patterns)


@lru_cache(maxsize=1_024)
def _wildcard(pattern: str) -> "re2._Regexp[str]":
    """`*` stands for any text; RE2, so that no pattern can hang a worker."""
    return re2.compile("(?s)" + ".*".join(map(re2.escape, pattern.split("*"))))


def _site(hit: Hit) -> Site:
    """The hit's site, for whatever comes after the first rule."""
    return cast(Site, hit.site)


# In this order; the first that holds names the reason.
DROP_RULES: tuple[tuple[str, Callable[[Hit], bool]], ...] = (
    ("unknown_site", lambda hit: hit.site is None),
    ("crawler", lambda hit: agents.parse(hit.user_agent).is_crawler),
    ("prefetch", _is_prefetch),
    ("do_not_track", _asks_not_to_be_tracked),
    ("foreign_host", _is_foreign_host),
    ("excluded_ip", _is_excluded_ip),
    ("excluded_path", _is_excluded_path),
    ("too_long", lambda hit: bool(_over_long(hit.sent))),
)


def from_tracker(
    body: bytes, environ: Mapping[str, Any], *, now: datetime
) -> tuple[events.NewEvent | None, str | None]:
    """The event in a tracker's request, or None and the rule that dropped it.

    `environ` is the request's WSGI environment. Raises Malformed, Rejected.
    """
    sent = _decode(body, SentByTracker)
    if details := _wrong(sent):
        raise Rejected(details)
    hit = Hit(
        sent=sent,
        site=sites.by_key(sent.site),
        page=pages.parse(sent.url or ""),
        address=visitors.client_ip(environ),
        user_agent=environ.get("HTTP_USER_AGENT", ""),
        environ=environ,
    )
    return resolve(hit, at=now)


def resolve(
    hit: Hit,
    *,
    at: datetime,
    rules: Sequence[tuple[str, Callable[[Hit], bool]]] = DROP_RULES,
) -> tuple[events.NewEvent | None, str | None]:
    """The event of a hit, or None and the first of the rules that dropped it."""
    for reason, drops in rules:
        if drops(hit):
            return None, reason
    sent, site = hit.sent, _site(hit)
    day = at.astimezone(site.zone).date()
    who = visitors.visitor(site, day, address=hit.address, user_agent=hit.user_agent)
    labels = _labels(sent, site, address=hit.address, user_agent=hit.user_agent)
    return _new_event(sent, site, at=at, day=day, visitor=who, labels=labels), None


def split(body: bytes) -> tuple[list[msgspec.Raw], bool]:
    """The events in a server's request, undecoded, and whether it is a batch.

    One event is an object; a batch is `{"events": [...]}`. Raises Malformed,
    Rejected.
    """
    fields = _decode(body, dict[str, msgspec.Raw])
    if "events" not in fields:
        # Raw skips what is inside; a broken text there is malformed as well.
        _decode(body, dict[str, Any])
        return [msgspec.Raw(body)], False
    if extra := fields.keys() - {"events"}:
        raise Rejected({name: ["Unknown field."] for name in sorted(extra)})
    try:
        items = msgspec.json.decode(fields["events"], type=list[msgspec.Raw])
    except msgspec.ValidationError:
        raise Rejected({"events": ["Must be a list."]}) from None
    return _check_number(items), True


def split_lines(body: bytes) -> list[msgspec.Raw]:
    """The events of a body with one a line, blank lines left out.

    Raises Rejected.
    """
    lines = (line for line in io.BytesIO(body) if not line.isspace())
    return _check_number([msgspec.Raw(line) for line in islice(lines, MAX_BATCH + 1)])


def _check_number(items: list[msgspec.Raw]) -> list[msgspec.Raw]:
    if not 0 < len(items) <= MAX_BATCH:
        raise Rejected({"events": [f"Must have 1 to {MAX_BATCH} events."]})
    return items


def read(
    raw: msgspec.Raw, site: Site, *, now: datetime
) -> events.NewEvent | events.NewRefund:
    """What one of the events in a server's request says. Raises Rejected."""
    try:
        if is_refund(raw):
            return refund_from_server(raw, site, now=now)
        return from_server(raw, site, now=now)
    except Malformed:
        raise Rejected({"non_field_errors": ["Malformed JSON."]}) from None


def from_server(
    raw: bytes | msgspec.Raw, site: Site, *, now: datetime
) -> events.NewEvent:
    """The event that a server sends for a visitor of its own.

    Raises Malformed, Rejected.
    """
    sent = _decode(raw, SentByServer)
    details = _wrong(sent) | _over_long(sent) | _wrong_origin(sent, now)
    if details:
        raise Rejected(details)
    at = (sent.timestamp or now).astimezone(UTC)
    day = at.astimezone(site.zone).date()
    address, user_agent = sent.ip or "", sent.user_agent or ""
    if sent.visitor_id is not None:
        who = visitors.known_visitor(site, day, sent.visitor_id)
    else:
        who = visitors.visitor(site, day, address=address, user_agent=user_agent)
    labels = _labels(sent, site, address=address, user_agent=user_agent)
    return _new_event(sent, site, at=at, day=day, visitor=who, labels=labels)


def is_refund(raw: bytes | msgspec.Raw) -> bool:
    """Whether a server's event is a refund. Raises Malformed, Rejected."""
    # Hardly any is: most are told apart without being decoded twice.
    if b'"refund_of"' not in bytes(raw):
        return False
    return _decode(raw, _MaybeRefund).refund_of is not None


def refund_from_server(
    raw: bytes | msgspec.Raw, site: Site, *, now: datetime
) -> events.NewRefund:
    """Raises Malformed, Rejected; whether the event exists is not asked here."""
    sent = _decode(raw, SentRefund)
    if details := _wrong_refund(sent) | _wrong_time(sent.timestamp, now):
        raise Rejected(details)
    at = (sent.timestamp or now).astimezone(UTC)
    return events.NewRefund(
        day=at.astimezone(site.zone).date(),
        at=at,
        refund_of=sent.refund_of,
        amount=events.to_amount(sent.revenue),
        type=sent.type,
        name=sent.name,
        currency=sent.currency,
        event_id=sent.id,
    )


def identify(raw: bytes) -> tuple[str, str]:
    """The type and the name that an event would be stored with.

    Takes what either way in takes. Raises Malformed, Rejected.
    """
    sent = _decode(raw, SentByAnyone)
    if details := _wrong(sent) | _over_long(sent):
        raise Rejected(details)
    return sent.type, _name(sent)


def _new_event(
    sent: Sent,
    site: Site,
    *,
    at: datetime,
    day: date,
    visitor: int,
    labels: events.Labels,
) -> events.NewEvent:
    page: str | None = None
    if sent.type != "pageview":
        page = pages.parse(sent.url).path if sent.url else None
    return events.NewEvent(
        site_id=site.pk,
        day=day,
        at=at,
        type=sent.type,
        name=_name(sent),
        visitor=visitor,
        labels=labels,
        page=page,
        amount=None if sent.revenue is None else events.to_amount(sent.revenue),
        currency=sent.currency,
        props=sent.props or None,
        event_id=sent.id,
    )


def _name(sent: Sent) -> str:
    """What goals are matched against."""
    if sent.type == "pageview":
        return pages.parse(sent.url or sent.name or "").path
    return sent.name or ""


def _labels(sent: Sent, site: Site, *, address: str, user_agent: str) -> events.Labels:
    page = pages.parse(sent.url or "")
    agent = agents.parse(user_agent)
    return events.Labels(
        pages.referrer(sent.referrer or "", page.host or site.domain),
        *pages.campaign(page.query),
        visitors.country(address),
        agent.device,
        agent.browser,
        agent.os,
    )


# What may be wrong with an event


_Shape = TypeVar("_Shape")
_UNKNOWN = re.compile(r"contains unknown field `(.*)`")
_MISSING = re.compile(r"missing required field `(.*)`")
_PATH = re.compile(r" - at `\$\.([^`]*)`$")


# Made once for each shape, which takes longer than decoding with it.
_decoder: Callable[[Any], msgspec.json.Decoder[Any]] = lru_cache(msgspec.json.Decoder)


def _decode(raw: bytes | msgspec.Raw, shape: type[_Shape]) -> _Shape:
    try:
        return cast(_Shape, _decoder(shape).decode(raw))
    except msgspec.ValidationError as error:
        raise Rejected(_explain(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed from None


def _explain(message: str) -> Details:
    """msgspec's one sentence as a message under the field that it names."""
    if unknown := _UNKNOWN.search(message):
        return {unknown[1]: ["Unknown field."]}
    if missing := _MISSING.search(message):
        return {missing[1]: ["This field is required."]}
    if path := _PATH.search(message):
        return {path[1].replace("[...]", ""): [message[: path.start()] + "."]}
    return {"non_field_errors": [message + "."]}


def _wrong(sent: Sent) -> Details:
    """What no event may have, over-long values apart."""
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
    if sent.currency is not None:
        if sent.currency not in EXPONENTS:
            details["currency"] = ["Not an active ISO 4217 code in capitals."]
        elif sent.revenue is None:
            details["currency"] = ["Needs revenue."]
    if sent.props is not None and len(sent.props) > MAX_PROPS:
        details["props"] = [f"At most {MAX_PROPS} keys."]
    if sent.id == "":
        details["id"] = ["May not be blank."]
    # PostgreSQL stores no NUL in a text.
    for field in ("name", "url", "referrer", "id"):
        if "\0" in (getattr(sent, field) or ""):
            details[field] = ["Null characters are not allowed."]
    for key, value in (sent.props or {}).items():
        if "\0" in key or (isinstance(value, str) and "\0" in value):
            details["props"] = ["Null characters are not allowed."]
    return details


def _over_long(sent: Sent) -> Details:
    details: Details = {}
    limits = {"name": MAX_NAME, "url": MAX_URL, "referrer": MAX_URL, "id": MAX_EVENT_ID}
    for field, limit in limits.items():
        if len(getattr(sent, field) or "") > limit:
            details[field] = [f"At most {limit} characters."]
    for key, value in (sent.props or {}).items():
        if len(key) > MAX_PROP or (isinstance(value, str) and len(value) > MAX_PROP):
            details["props"] = [f"At most {MAX_PROP} characters a key or value."]
    return details


def _wrong_refund(sent: SentRefund) -> Details:
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
    return details


def _wrong_time(timestamp: datetime | None, now: datetime) -> Details:
    if timestamp is None:
        return {}
    if timestamp.tzinfo is None:
        return {"timestamp": ["Must say its offset, such as Z."]}
    if timestamp > now + MAX_AHEAD:
        return {"timestamp": ["Must not be more than 24 hours ahead."]}
    if timestamp.year < EARLIEST_YEAR:
        return {"timestamp": [f"Must not be before {EARLIEST_YEAR}."]}
    return {}


def _wrong_origin(sent: SentByServer, now: datetime) -> Details:
    """What a server may get wrong about when and who."""
    details = _wrong_time(sent.timestamp, now)
    if sent.visitor_id is None and not (sent.ip and sent.user_agent):
        details["visitor_id"] = ["Give visitor_id, or ip and user_agent."]
    if sent.visitor_id is not None and not 0 < len(sent.visitor_id) <= MAX_PROP:
        details["visitor_id"] = [f"Must have 1 to {MAX_PROP} characters."]
    if "\0" in (sent.user_agent or ""):
        details["user_agent"] = ["Null characters are not allowed."]
    if sent.ip and not visitors.is_address(sent.ip):
        details["ip"] = ["Not an IP address."]
    return details
