"""Issuing, rotating and revoking API keys, over every way: who did it is kept.

Each function keeps its deed in the audit trail, in the transaction of the change.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from analytics.access import audit
from analytics.models import ApiToken, Site, Team

# Usable keys of a team: more than programs that could have one each.
MAX_KEYS = 1_000
# How long the old secret works after the admin has made a new one, and at most.
OVERLAP = timedelta(days=1)
MAX_OVERLAP_HOURS = 30 * 24


# Such a key is shown as one that expires soon.
SOON = timedelta(days=30)


class TooManyKeys(Exception):
    def __str__(self) -> str:
        return f"A team has at most {MAX_KEYS} keys in use: revoke some first."


def default_end() -> datetime | None:
    """When a key ends for which nobody says it: see KEY_DAYS."""
    days = settings.KEY_DAYS
    return timezone.now() + timedelta(days) if days else None


def state(key: ApiToken) -> str:
    """usable, expires soon, expired or revoked."""
    if key.is_revoked:
        return "revoked"
    if key.expires_at is None:
        return "usable"
    left = key.expires_at - timezone.now()
    if left <= timedelta():
        return "expired"
    return "expires soon" if left <= SOON else "usable"


def is_full(team: Team) -> bool:
    """Whether the team can have no other key."""
    usable = ApiToken.objects.usable(timezone.now()).filter(team=team)
    return usable.count() >= MAX_KEYS


def issue(
    *,
    team: Team,
    name: str,
    scopes: list[str],
    sites: list[Site] | None = None,
    expires_at: datetime | None = None,
    rotates: ApiToken | None = None,
) -> tuple[ApiToken, str]:
    """A new key and its secret, see `ApiToken.issue`. Raises TooManyKeys."""
    with transaction.atomic():
        # Without the lock two requests at once could exceed the limit.
        Team.objects.select_for_update().get(pk=team.pk)
        if is_full(team):
            raise TooManyKeys
        maker = audit.acting_key()
        token, secret = ApiToken.issue(
            team=team,
            name=name,
            scopes=scopes,
            sites=sites,
            expires_at=expires_at,
        )
        token.made_by, token.made_by_key = audit.actor_name(), maker
        token.rotates = rotates
        token.save(update_fields=["made_by", "made_by_key", "rotates"])
        audit.key_issued(token)
    return token, secret


def rotate(old: ApiToken, *, overlap: timedelta = timedelta()) -> tuple[ApiToken, str]:
    """The same key with a new secret; the old one ends now, or after the overlap."""
    with transaction.atomic():
        new, secret = issue(
            team=old.team,
            name=old.name,
            scopes=old.scopes,
            sites=list(old.sites.all()) if old.is_narrowed else None,
            expires_at=old.expires_at,
            rotates=old,
        )
        if overlap:
            end = timezone.now() + overlap
            old.expires_at = min(end, old.expires_at or end)
            old.save(update_fields=["expires_at"])
        else:
            old.revoke(audit.actor_name())
        audit.record(
            "key.rotated",
            old,
            changes={"key_prefix": [old.key_prefix, new.key_prefix]},
        )
    return new, secret


def revoke(token: ApiToken, *, with_made: bool = False) -> int:
    """End the key, and what it made if that is asked for; how many were in use."""
    ended = 0
    with transaction.atomic():
        for each in [token, *(_made_by(token) if with_made else ())]:
            if each.revoke(audit.actor_name()):
                audit.record("key.revoked", each)
                ended += 1
    return ended


def made_usable(token: ApiToken) -> bool:
    """Whether there are keys that it or they made and that are not revoked."""
    return any(not each.is_revoked for each in _made_by(token))


def _made_by(token: ApiToken) -> list[ApiToken]:
    """The keys that the key made, those that they made, and so on."""
    found: list[ApiToken] = []
    makers = [token.pk]
    while makers:
        # A key is made by an older one, so that this ends.
        made = list(ApiToken.objects.filter(made_by_key__in=makers))
        found += made
        makers = [each.pk for each in made]
    return found
