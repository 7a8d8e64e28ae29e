"""A slow recount of where events come from: each visitor's day is walked through."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from analytics.events import Labels
from tests.recount.goals import Raw

SILENCE = timedelta(minutes=30)
OWN = ("country", "device", "browser", "os")
CAMPAIGN = ("utm_source", "utm_medium", "utm_campaign", "utm_term")
# Of a site at shop.example, which pay.example is excluded from.
SITE = {"domain": "shop.example", "excluded_referrers": ["pay.example"]}
INSIDE = {"", "www.shop.example", "checkout.pay.example"}
NAMES = {"www.google.com": "Google", "google.de": "Google"}


def attributed(history: list[Raw], attribution: str) -> list[Raw]:
    """The same history with the labels that its events have by this attribution."""
    history = named(history)
    visits: dict[int, dict[str, Any]] = {}
    labels: dict[int, Labels] = {}
    arrived: dict[int, datetime] = {}
    for path in paths(history):
        visits |= visited(history, path)
        if attribution == "event":
            labels |= {number: history[number].labels for number in path}
        else:
            brought = arrivals(history, path, attribution)
            labels |= walked(history, path, brought)
            arrived |= {number: history[n].at for number, n in brought.items()}
    origin = {
        raw.event_id: number for number, raw in enumerate(history) if not raw.refunds
    }
    return shown(
        raw._replace(labels=labels[its], arrived=arrived.get(its), **visits[its])
        for number, raw in enumerate(history)
        for its in [origin[raw.event_id] if raw.refunds else number]
    )


def named(history: list[Raw]) -> list[Raw]:
    """With campaigns in the spelling that came first; what is inside is nowhere."""
    spellings: dict[str, str] = {}
    found = []
    for raw in history:
        campaign = raw.labels.utm_campaign
        campaign = spellings.setdefault(campaign.lower(), campaign)
        labels = raw.labels._replace(utm_campaign=campaign)
        if labels.referrer in INSIDE:
            labels = labels._replace(referrer="")
        found.append(raw._replace(labels=labels))
    return found


def shown(history: Iterable[Raw]) -> list[Raw]:
    return [
        raw._replace(
            labels=raw.labels._replace(
                referrer=NAMES.get(raw.labels.referrer, raw.labels.referrer)
            )
        )
        for raw in history
    ]


def paths(history: list[Raw]) -> list[list[int]]:
    """The numbers of the events of each visitor and day, in their order."""
    found: dict[object, list[int]] = {}
    for number, raw in enumerate(history):
        if not raw.refunds:
            found.setdefault((raw.day, raw.visitor), []).append(number)
    return [sorted(path, key=lambda n: (history[n].at, n)) for path in found.values()]


def visited(history: list[Raw], path: list[int]) -> dict[int, dict[str, Any]]:
    """Number, beginning and first page of each visit, for all events of the visit."""
    visits: list[list[int]] = []
    before: datetime | None = None
    for number in path:
        second = history[number].at.replace(microsecond=0)
        if before is None or second - before > SILENCE:
            visits.append([])
        visits[-1].append(number)
        before = second
    found: dict[int, dict[str, Any]] = {}
    for place, visit in enumerate(visits, start=1):
        pages = [history[n].name for n in visit if history[n].type == "pageview"]
        entry = pages[0] if pages else None
        began = history[visit[0]].at
        own = {"entry": entry, "visit": place, "began": began}
        found |= dict.fromkeys(visit, own)
    return found


def arrivals(history: list[Raw], path: list[int], attribution: str) -> dict[int, int]:
    """Which event is the arrival that brought each, of those that one brought."""
    brought: dict[int, int] = {}
    came: list[int] = []
    before: datetime | None = None
    referrer_of_visit = ""
    for number in path:
        raw = history[number]
        second = raw.at.replace(microsecond=0)
        if before is None or second - before > SILENCE:
            referrer_of_visit = ""
        before = second
        own = raw.labels
        has_campaign = any(getattr(own, label) for label in CAMPAIGN)
        if has_campaign or (own.referrer and own.referrer != referrer_of_visit):
            came.append(number)
            referrer_of_visit = own.referrer
        if came:
            brought[number] = came[0 if attribution == "first" else -1]
    return brought


def walked(
    history: list[Raw], path: list[int], brought: dict[int, int]
) -> dict[int, Labels]:
    labels = {}
    known = dict.fromkeys(OWN, "")
    for number in path:
        own = history[number].labels
        for label in OWN:
            known[label] = getattr(own, label) or known[label]
        source = history[brought[number]].labels if number in brought else Labels()
        labels[number] = source._replace(**known)
    return labels
