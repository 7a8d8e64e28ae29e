"""Issue, rotate and revoke API keys.

Each function records its change in the audit trail, in the same transaction.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from analytics.access import audit
from analytics.models import ApiToken, Site, Team

# The maximum number of usable keys of a team; programs need fewer.
MAX_KEYS = 1_000
# How long the old secret still works after a rotation in the admin, and at most.
OVERLAP = timedelta(days=1)
MAX_OVERLAP_HOURS = 30 * 24


# A key with less time left is shown as one that expires soon.
SOON = timedelta(days=30)


class TooManyKeys(Exception):
    def __str__(self) -> str:
        return f"A team has at most {MAX_KEYS} keys in use: revoke some first."


def default_end() -> datetime | None:
    """Return the default end of a new key, from KEY_DAYS; None: it does not expire."""
    days = settings.KEY_DAYS
    return timezone.now() + timedelta(days) if days else None


def state(key: ApiToken) -> str:
    """Return "usable", "expires soon", "expired" or "revoked"."""
    if key.is_revoked:
        return "revoked"
    if key.expires_at is None:
        return "usable"
    left = key.expires_at - timezone.now()
    if left <= timedelta():
        return "expired"
    return "expires soon" if left <= SOON else "usable"


def is_full(team: Team) -> bool:
    """Return whether the team has the maximum number of usable keys."""
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
    """Issue a key; return it with its secret, as `ApiToken.issue`.

    Raises TooManyKeys.
    """
    with transaction.atomic():
        # Without the lock, two concurrent requests could exceed the limit.
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
    """Issue the same key with a new secret; return both. Raises TooManyKeys.

    The old secret stops working at once, or after `overlap`.
    """
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
    """Revoke the key; return how many keys were revoked that were in use.

    `with_made`: also the keys made with it, directly or indirectly.
    """
    ended = 0
    with transaction.atomic():
        for each in [token, *(_made_by(token) if with_made else ())]:
            if each.revoke(audit.actor_name()):
                audit.record("key.revoked", each)
                ended += 1
    return ended


def made_usable(token: ApiToken) -> bool:
    """Return whether any key made with this one, directly or not, is not revoked."""
    return any(not each.is_revoked for each in _made_by(token))


def makers_of_unrevoked(of: Iterable[ApiToken]) -> set[int]:
    """Ids of those keys that made one, directly, that is not revoked."""
    made = ApiToken.objects.filter(made_by_key__in=of, revoked_at=None)
    return {maker for maker in made.values_list("made_by_key", flat=True) if maker}


def _made_by(token: ApiToken) -> list[ApiToken]:
    """Return the keys made with this key, directly or indirectly."""
    found: list[ApiToken] = []
    makers = [token.pk]
    while makers:
        # A key is always made by an older one, so the loop ends.
        made = list(ApiToken.objects.filter(made_by_key__in=makers))
        found += made
        makers = [each.pk for each in made]
    return found
