"""The models of sites, events, API keys and short-lived rows."""

from analytics.models.configuration import ApiToken, Site, Team, new_site_key
from analytics.models.derived import KeptMonth, LateDay, SiteMonth
from analytics.models.expiring import IdempotencyKey, RateWindow, Salt
from analytics.models.facts import (
    Adjustment,
    Context,
    DropCount,
    Event,
    EventName,
    EventType,
    Fact,
)
from analytics.models.of_one_site import OfOneSite

__all__ = [
    "Adjustment",
    "ApiToken",
    "Context",
    "DropCount",
    "Event",
    "EventName",
    "EventType",
    "Fact",
    "IdempotencyKey",
    "KeptMonth",
    "LateDay",
    "OfOneSite",
    "RateWindow",
    "Salt",
    "Site",
    "SiteMonth",
    "Team",
    "new_site_key",
]
