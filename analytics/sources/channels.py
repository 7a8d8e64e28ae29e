"""The channel of an arrival: search, social, e-mail and so on. Pure.

Source: the rules that Google documents for its default channel group (Analytics help,
"[GA4] Default channel group", as of November 2026), with these differences: display,
video and shopping are one channel each, whether paid for or not; AI assistants and
messengers have their own; what fits nowhere is "Other campaign" with labels of a
campaign and "Referral" without. A site's own rules come first.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from analytics.sources import names
from analytics.sources.click_ids import CLICK_IDS, ClickId

DIRECT = "Direct"
REFERRAL = "Referral"
OTHER = "Other campaign"

# The channels of each kind of place, without and with money.
_OF_KIND = {
    "search": ("Search", "Paid search"),
    "social": ("Social", "Paid social"),
    "video": ("Video", "Video"),
    "shopping": ("Shopping", "Shopping"),
    "email": ("Email", "Email"),
    "ai": ("AI assistants", "AI assistants"),
    "messenger": ("Messengers", "Messengers"),
    "display": ("Display", "Display"),
    "affiliate": ("Affiliates", "Affiliates"),
    names.REFERRAL: (REFERRAL, OTHER),
}

CHANNELS = (
    *dict.fromkeys(channel for pair in _OF_KIND.values() for channel in pair),
    DIRECT,
)

# What a medium says by itself, in this order; each covers the whole medium.
_OF_MEDIUM = (
    (r"e[-_ ]?mail|newsletter", "Email"),
    (r"affiliates?|partner", "Affiliates"),
    (r"display|banner|expandable|interstitial|cpm|programmatic|native", "Display"),
    (r"sms|messenger|whatsapp|telegram|chat", "Messengers"),
    (r"ai[-_ ]?assistants?|ai|llm|chatbot", "AI assistants"),
)
_UNPAID = (
    (r"social|social[-_ ]?(?:network|media|organic)|sm|organic[-_ ]?social", "Social"),
    (r".*video.*", "Video"),
    (r"shopping|product[-_ ]?listing", "Shopping"),
    (r"organic|seo", "Search"),
    (r"referral|link|app", REFERRAL),
)
_PAID = re.compile(
    r".*cp[acmv]|ppc|sem|retargeting|remarketing|(?:.*[-_ ])?paid.*|ads?"
)
_PAID_SOCIAL = re.compile(r"(?:.*[-_ ])?paid[-_ ]?social.*|social[-_ ]?(?:ads?|paid)")
_PAID_SEARCH = re.compile(r"(?:.*[-_ ])?paid[-_ ]?search.*|sem")
_SHOP_CAMPAIGN = re.compile(r"(?:.*[^a-df-z]|)shop(?:ping)?(?:[^a-z].*|)")


CampaignKind = tuple[bool, ...]


class Arrival(NamedTuple):
    """What an arrival says of its source; `referrer` as it is stored, `""` inside."""

    referrer: str = ""
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    click_id: str = ""


class Rule(NamedTuple):
    """A site's own: what fits all that is given is of the channel.

    Texts are compared without case; `*` at the end stands for any text.
    """

    channel: str
    referrer: str = ""
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""

    @classmethod
    def read(cls, setting: Mapping[str, str]) -> "Rule":
        return cls(**setting)

    def fits(self, arrival: Arrival, place: names.Place) -> bool:
        if self.referrer and not (
            _like(self.referrer, place.name) or _like(self.referrer, arrival.referrer)
        ):
            return False
        return all(
            not pattern or _like(pattern, text)
            for pattern, text in zip(self[2:], arrival[1:4], strict=True)
        )


def _like(pattern: str, text: str) -> bool:
    pattern, text = pattern.casefold(), text.casefold()
    if pattern.endswith("*"):
        return text.startswith(pattern[:-1])
    return text == pattern


def channel(arrival: Arrival, own: Iterable[Rule] = ()) -> str:
    """The channel; a site's own rules come before the table."""
    place = names.place(arrival.referrer)
    for rule in own:
        if rule.fits(arrival, place):
            return rule.channel
    if not any(arrival):
        return DIRECT
    medium = arrival.utm_medium.strip().lower()
    for pattern, found in _OF_MEDIUM:
        if re.fullmatch(pattern, medium):
            return found
    click = CLICK_IDS.get(arrival.click_id, ClickId(names.REFERRAL, is_paid=False))
    kind = _kind(arrival, place, click)
    if click.is_paid or _PAID.fullmatch(medium):
        return _paid(kind, medium, arrival.utm_campaign)
    if _SHOP_CAMPAIGN.fullmatch(arrival.utm_campaign.lower()):
        return "Shopping"
    for pattern, found in _UNPAID:
        if re.fullmatch(pattern, medium):
            # A link on YouTube is called one as well: the place says more.
            return _OF_KIND[kind][0] if found == REFERRAL else found
    if kind != names.REFERRAL:
        return _OF_KIND[kind][0]
    has_campaign = any((arrival.utm_source, medium, arrival.utm_campaign))
    return OTHER if has_campaign or arrival.click_id else REFERRAL


def campaign_kind(campaign: str, own: Iterable[Rule] = ()) -> CampaignKind:
    """All that `channel` depends on of a campaign."""
    patterns = (rule.utm_campaign for rule in own if rule.utm_campaign)
    return (
        bool(campaign),
        _SHOP_CAMPAIGN.fullmatch(campaign.lower()) is not None,
        *(_like(pattern, campaign) for pattern in patterns),
    )


def _kind(arrival: Arrival, place: names.Place, click: ClickId) -> str:
    """Of the source that the campaign names, of the referrer, or of the click."""
    source = arrival.utm_source.strip().lower()
    if re.fullmatch(_OF_MEDIUM[0][0], source):
        return "email"
    if source:
        named = names.named(source)
        if named is not None or not click.is_paid:
            return named.kind if named else names.REFERRAL
    if place.kind != names.REFERRAL and place.kind != "email":
        return place.kind
    return click.kind if click.kind != names.REFERRAL else place.kind


def _paid(kind: str, medium: str, campaign: str) -> str:
    if _PAID_SOCIAL.fullmatch(medium):
        kind = "social"
    elif _PAID_SEARCH.fullmatch(medium):
        kind = "search"
    elif _SHOP_CAMPAIGN.fullmatch(campaign.lower()):
        kind = "shopping"
    return _OF_KIND[kind][1]
