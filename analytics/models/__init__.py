"""What happened on which site, and who may ask."""

from analytics.models.configuration import ApiToken, Site, Team, new_site_key
from analytics.models.facts import (
    Adjustment,
    Context,
    Event,
    EventName,
    EventType,
    Fact,
    LateDay,
)
from analytics.models.passing import IdempotencyKey, RateWindow, Salt

__all__ = [
    "Adjustment",
    "ApiToken",
    "Context",
    "Event",
    "EventName",
    "EventType",
    "Fact",
    "IdempotencyKey",
    "LateDay",
    "RateWindow",
    "Salt",
    "Site",
    "Team",
    "new_site_key",
]
