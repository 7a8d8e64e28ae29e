"""The models of sites, events, API keys and short-lived rows."""

from analytics.models.audit import AuditEntry
from analytics.models.configuration import (
    ApiToken,
    Import,
    ImportedSite,
    Membership,
    Role,
    Site,
    SiteQuerySet,
    Team,
    new_site_key,
)
from analytics.models.derived import (
    KeptMonth,
    LabelMonth,
    LateDay,
    NameDay,
    NameMonth,
    SiteMonth,
)
from analytics.models.expiring import IdempotencyKey, RateWindow, SiteSalt
from analytics.models.facts import (
    Adjustment,
    Context,
    DropCount,
    DroppedHost,
    Event,
    EventName,
    EventType,
    Fact,
    Growth,
    ReservedName,
    Seal,
)
from analytics.models.of_one_site import OfOneSite
from analytics.models.people import (
    BrowserSession,
    Invitation,
    RecoveryCode,
    SecondFactor,
)

__all__ = [
    "Adjustment",
    "ApiToken",
    "AuditEntry",
    "BrowserSession",
    "Context",
    "DropCount",
    "DroppedHost",
    "Event",
    "EventName",
    "EventType",
    "Fact",
    "Growth",
    "IdempotencyKey",
    "Import",
    "ImportedSite",
    "Invitation",
    "KeptMonth",
    "LabelMonth",
    "LateDay",
    "Membership",
    "NameDay",
    "NameMonth",
    "OfOneSite",
    "RateWindow",
    "RecoveryCode",
    "ReservedName",
    "Role",
    "Seal",
    "SecondFactor",
    "Site",
    "SiteMonth",
    "SiteQuerySet",
    "SiteSalt",
    "Team",
    "new_site_key",
]
