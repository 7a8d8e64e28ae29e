"""From what a tracker or a server sends to an event that is stored.

Both are decoded, normalised and appended; events of the tracker may be dropped by a
rule. Knows nothing of goals.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias, cast

import re2

from analytics import events
from analytics.events import seals
from analytics.ingest import (
    client_address,
    country,
    pages,
    payloads,
    referrer_spam,
    shapes,
    site_lookup,
    user_agents,
    visitors,
)
from analytics.models import DropCount, Site
from analytics.sources import normal, rules_of


class Hit(NamedTuple):
    """A tracker's event with everything that the drop rules look at."""

    sent: shapes.TrackedEvent
    site: Site | None
    page: pages.Page
    address: str
    user_agent: str
    environ: Mapping[str, Any]


class Dropped(NamedTuple):
    """The data counted of a dropped event: see `drops`."""

    site_id: int
    day: date
    rule: str
    # Set only for a page on a foreign host.
    host: str = ""


# The outcome of a tracker's event.
Outcome: TypeAlias = events.NewEvent | Dropped


def _is_prefetch(hit: Hit) -> bool:
    purposes = [hit.environ[name] for name in _PURPOSES if name in hit.environ]
    return any(
        word in purpose
        for purpose in purposes
        for word in ("prefetch", "prerender", "preview")
    )


_PURPOSES = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ")


def _asks_not_to_be_tracked(hit: Hit) -> bool:
    asks = "1" in (hit.environ.get("HTTP_DNT"), hit.environ.get("HTTP_SEC_GPC"))
    return asks and _site(hit).honour_dnt


# file:, about:, blob:, data: and the like.
_NOT_OF_THE_WEB = re.compile(r"(?!https?:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def _is_foreign_host(hit: Hit) -> bool:
    """Whether the page is on a host that is not one of the site's, or has no host."""
    host, site = hit.page.host, _site(hit)
    # The path of a saved page can contain a user's name.
    if _NOT_OF_THE_WEB.match(hit.sent.url or ""):
        return True
    return bool(host) and not rules_of(site).owns(normal(host))


def _is_excluded_ip(hit: Hit) -> bool:
    networks = _networks(tuple(_site(hit).excluded_ips))
    return bool(networks) and client_address.is_within(hit.address, networks)


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
    """The hit's site; the first rule drops hits without one."""
    return cast(Site, hit.site)


FOREIGN_HOST = "foreign_host"
Rules = Sequence[tuple[str, Callable[[Hit], bool]]]

# Applied in this order; the first that applies is the reason.
DROP_RULES: Rules = (
    ("unknown_site", lambda hit: hit.site is None),
    ("crawler", lambda hit: user_agents.parse(hit.user_agent).is_crawler),
    ("prefetch", _is_prefetch),
    ("do_not_track", _asks_not_to_be_tracked),
    (FOREIGN_HOST, _is_foreign_host),
    ("referrer_spam", lambda hit: referrer_spam.is_spam(hit.sent.referrer or "")),
    ("excluded_ip", _is_excluded_ip),
    ("excluded_path", _is_excluded_path),
)


# Drops events of sealed days, whose counts no longer change.
SEALED = "sealed_day"
RULES = (*(rule for rule, _ in DROP_RULES), SEALED)


def from_tracker(
    body: bytes, environ: Mapping[str, Any], *, address: str, now: datetime
) -> Outcome:
    """The event in a tracker's request, or that a rule dropped it.

    `environ` is the request's WSGI environment, `address` the client's. Raises
    Malformed, Rejected.
    """
    sent = payloads.decode_body(body, shapes.TrackedEvent)
    if details := payloads.wrong(sent, body, now.date()):
        raise payloads.Rejected(details)
    return judge(sent, environ, address=address, at=now)


def judge(
    sent: shapes.TrackedEvent,
    environ: Mapping[str, Any],
    *,
    address: str,
    at: datetime,
) -> Outcome:
    """The event that a page sent, or that a rule dropped it."""
    hit = Hit(
        sent=sent,
        site=site_lookup.by_key(sent.site),
        page=pages.parse(sent.url or ""),
        address=address,
        user_agent=environ.get("HTTP_USER_AGENT", ""),
        environ=environ,
    )
    event, rule = resolve(hit, at=at)
    return event or _dropped(hit, rule or "", at=at)


def _dropped(hit: Hit, rule: str, *, at: datetime) -> Dropped:
    site = hit.site
    if site is None:
        return Dropped(DropCount.NO_SITE, at.astimezone(UTC).date(), rule)
    host = normal(hit.page.host) if rule == FOREIGN_HOST else ""
    return Dropped(site.pk, at.astimezone(site.zone).date(), rule, host)


def resolve(
    hit: Hit,
    *,
    at: datetime,
    rules: Rules = DROP_RULES,
) -> tuple[events.NewEvent | None, str | None]:
    """The event of a hit, or None and the first of the rules that dropped it."""
    if reason := dropped_by(hit, rules) or sealed(hit, at=at):
        return None, reason
    sent, site = hit.sent, _site(hit)
    payloads.cut(sent)
    day = at.astimezone(site.zone).date()
    who = visitors.visitor(site, day, address=hit.address, user_agent=hit.user_agent)
    event = _new_event(sent, site, at=at, day=day, visitor=who, labels=labels(hit))
    return event, None


def dropped_by(hit: Hit, rules: Rules = DROP_RULES) -> str | None:
    """The first of the rules that drops a hit."""
    return next((reason for reason, drops in rules if drops(hit)), None)


def sealed(hit: Hit, *, at: datetime) -> str | None:
    """The last rule: whether the day of the event is sealed."""
    site = _site(hit)
    if site.sealed_before is None:
        return None
    return SEALED if at.astimezone(site.zone).date() < site.sealed_before else None


def labels(hit: Hit) -> events.Labels:
    """Return the labels of the client and its referrer; needs no salt."""
    where = country.of_request(hit.address, hit.environ)
    return _labels(hit.sent, _site(hit), where=where, user_agent=hit.user_agent)


def read(
    raw: bytes,
    site: Site,
    *,
    now: datetime,
    where: Callable[[str], str],
) -> events.NewEvent | events.NewRefund:
    """Return one event of a server's request. Raises Rejected.

    `where(address)` returns the country of an address.
    """
    try:
        if payloads.is_refund(raw):
            return refund_from_server(raw, site, now=now)
        return from_server(raw, site, now=now, where=where)
    except payloads.Malformed:
        raise payloads.Rejected({"non_field_errors": ["Malformed JSON."]}) from None


def from_server(
    raw: bytes, site: Site, *, now: datetime, where: Callable[[str], str]
) -> events.NewEvent:
    """Return the event that a server sends for a visitor that it names.

    Raises Malformed, Rejected.
    """
    sent = payloads.decode(raw, shapes.ServerEvent)
    at, details = payloads.when(sent, raw, now)
    details |= payloads.wrong(sent, raw, at.date())
    details |= payloads.over_long(sent, size=len(raw)) | payloads.wrong_origin(sent)
    if details:
        raise payloads.Rejected(details)
    day = at.astimezone(site.zone).date()
    if site.sealed_before is not None and day < site.sealed_before:
        raise payloads.Rejected({"timestamp": [seals.reason(site.sealed_before)]})
    address, user_agent = sent.ip or "", sent.user_agent or ""
    if sent.visitor_id is not None:
        who = visitors.known_visitor(site, day, sent.visitor_id)
    else:
        who = visitors.visitor(site, day, address=address, user_agent=user_agent)
    labels = _told(sent, site, where=where(address), user_agent=user_agent)
    return _new_event(sent, site, at=at, day=day, visitor=who, labels=labels)


def refund_from_server(raw: bytes, site: Site, *, now: datetime) -> events.NewRefund:
    """Return the refund. Raises Malformed, Rejected.

    Whether the event exists is not checked here.
    """
    sent = payloads.decode(raw, shapes.Refund)
    at, details = payloads.when(sent, raw, now)
    if details := payloads.wrong_refund(sent, raw) | details:
        raise payloads.Rejected(details)
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
    """Return the type and name that an event would be stored with.

    Accepts events as sent by trackers and by servers. Raises Malformed, Rejected.
    """
    sent = payloads.decode_body(raw, shapes.AnyEvent)
    at, details = payloads.when(sent, raw, datetime.now(UTC))
    details |= payloads.wrong(sent, raw, at.date()) | payloads.wrong_labels(sent)
    details |= payloads.over_long(sent, size=len(raw))
    if details:
        raise payloads.Rejected(details)
    return sent.type, _name(sent)


def _new_event(
    sent: shapes.Sent,
    site: Site,
    *,
    at: datetime,
    day: date,
    visitor: int,
    labels: events.Labels,
) -> events.NewEvent:
    page: str | None = None
    if sent.type != "pageview":
        page = _path(sent.url) if sent.url else None
    return events.NewEvent(
        site_id=site.id,
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


def _name(sent: shapes.Sent) -> str:
    """Return the text that goals are matched against."""
    if sent.type == "pageview":
        return _path(sent.url or sent.name or "")
    return sent.name or ""


def _path(url: str) -> str:
    return pages.parse(url).path[: shapes.MAX_URL]


def _labels(
    sent: shapes.Sent, site: Site, *, where: str, user_agent: str
) -> events.Labels:
    return _said(sent, site, pages.referrer(sent.referrer or ""), where, user_agent)


_OF_CLIENT = ("country", "device", "browser", "os")
_OF_CAMPAIGN = tuple(f"utm_{part}" for part in pages.UTM)
_NONE = (None,) * len(_OF_CLIENT)
_of_client = attrgetter(*_OF_CLIENT)
_of_campaign = attrgetter(*_OF_CAMPAIGN)


def _told(
    sent: shapes.ServerEvent, site: Site, *, where: str, user_agent: str
) -> events.Labels:
    """As `_labels`, but labels sent by the server replace derived ones."""
    referrer = pages.named_referrer(sent.referrer or "")
    labels = _said(sent, site, referrer, where, user_agent)
    of_client, of_campaign = _of_client(sent), _of_campaign(sent)
    if of_client == _NONE and not any(of_campaign):
        return labels
    own = dict(zip(_OF_CLIENT, of_client, strict=True))
    campaign = dict(zip(_OF_CAMPAIGN, of_campaign, strict=True))
    if any(of_campaign):
        # Campaign labels belong together: they are not mixed with those of the URL.
        own |= {label: text or "" for label, text in campaign.items()}
    given = {label: text.strip() for label, text in own.items() if text is not None}
    return labels._replace(**given)


def _said(
    sent: shapes.Sent, site: Site, referrer: str, where: str, user_agent: str
) -> events.Labels:
    page = pages.parse(sent.url or "")
    agent = user_agents.parse(user_agent)
    # Most pages have no query; the referrer is needed only for the others.
    is_link_of_own = bool(page.query) and rules_of(site).owns(referrer)
    found = pages.campaign(page.query, is_link_of_own=is_link_of_own)
    return events.Labels(
        referrer=referrer,
        utm_source=found.source,
        utm_medium=found.medium,
        utm_campaign=found.campaign,
        country=where,
        device=agent.device,
        browser=agent.browser,
        os=agent.os,
        utm_term=found.term,
        utm_content=found.content,
        click_id=found.click_id,
    )
