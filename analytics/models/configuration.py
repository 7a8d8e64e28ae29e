"""Configuration: teams, sites and API keys. Small tables that people edit."""

import secrets
import string
import uuid
from datetime import date, datetime
from typing import Self
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils.timezone import now

from analytics.access import tokens
from analytics.questions import periods


class Team(models.Model):
    """A tenant. Owns sites and API keys; users are its members."""

    name = models.CharField(max_length=255)
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, related_name="teams", blank=True
    )
    created_at = models.DateTimeField(default=now, editable=False)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def default(cls) -> Self:
        """The oldest team, created when there is none."""
        team = cls.objects.order_by("pk").first()
        return team or cls.objects.create(name="Default")


def new_site_key() -> str:
    alphabet = string.ascii_lowercase + string.digits
    return "sk_" + "".join(secrets.choice(alphabet) for _ in range(12))


class SiteQuerySet(models.QuerySet["Site"]):
    def undeleted(self) -> Self:
        return self.filter(deleted_at=None)

    def visible_to(self, token: "ApiToken") -> Self:
        """The undeleted sites that a key may access."""
        sites = self.undeleted().filter(team_id=token.team_id)
        if token.is_narrowed:
            sites = sites.filter(tokens=token)
        return sites


class Site(models.Model):
    """A website whose events are stored.

    `site_key` (`sk_…`) is public: it appears in every page of the site and grants
    no access, although its prefix looks like that of a secret key.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    team = models.ForeignKey(Team, models.PROTECT, related_name="sites")
    site_key = models.CharField(
        max_length=15, unique=True, default=new_site_key, editable=False
    )
    domain = models.CharField(max_length=253)
    name = models.CharField(max_length=255)
    public_stats = models.BooleanField(default=False)
    timezone = models.CharField(
        max_length=64,
        default="UTC",
        help_text="IANA name. A change holds from the next event on.",
    )
    allowed_hosts = models.JSONField(
        default=list,
        blank=True,
        help_text="Other host names whose pages may send events here.",
    )
    excluded_ips = models.JSONField(
        default=list,
        blank=True,
        help_text="Addresses or CIDR networks not counted.",
    )
    excluded_paths = models.JSONField(
        default=list,
        blank=True,
        help_text="Paths not counted; * stands for any text.",
    )
    honour_dnt = models.BooleanField(
        default=True, help_text="Count nobody who sends DNT or Sec-GPC."
    )
    created_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects = SiteQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(
                fields=("team", "domain"),
                condition=Q(deleted_at=None),
                name="site_domain_unique_in_team",
            ),
        )

    def __str__(self) -> str:
        return self.domain

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def midnight(self, day: date, *, later: int = 0) -> datetime:
        """When a day begins in the site's time zone: see `periods.midnight`."""
        return periods.midnight(day, self.zone, later=later)


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def usable(self, now: datetime) -> Self:
        unexpired = Q(expires_at=None) | Q(expires_at__gt=now)
        return self.filter(unexpired, revoked_at=None)

    def visible_to(self, token: "ApiToken") -> Self:
        """The keys of the team. A narrowed key sees only keys narrowed to its sites."""
        found = self.filter(team_id=token.team_id)
        if token.is_narrowed:
            outside = Site.objects.exclude(tokens=token)
            found = found.filter(is_narrowed=True).exclude(sites__in=outside)
        return found


class ApiToken(models.Model):
    """An API key. Only a digest of the secret is stored: see `access.tokens`."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    team = models.ForeignKey(Team, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=255)
    key_prefix = models.CharField(max_length=tokens.SHOWN_LENGTH, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list)
    # Not derived from `sites`: a narrowed key whose last site is removed must
    # lose all access, not gain access to every site.
    is_narrowed = models.BooleanField(default=False, editable=False)
    sites = models.ManyToManyField(Site, related_name="tokens", blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.key_prefix}…)"

    @staticmethod
    @transaction.atomic
    def issue(
        *,
        team: Team,
        name: str,
        scopes: list[str],
        sites: list[Site] | None = None,
        expires_at: datetime | None = None,
    ) -> tuple["ApiToken", str]:
        """Store a new key and return it with its secret.

        The secret cannot be read again. `sites=None` gives access to all sites of
        the team, including future ones.
        """
        secret = tokens.new_token()
        token = ApiToken.objects.create(
            team=team,
            name=name,
            key_prefix=secret[: tokens.SHOWN_LENGTH],
            digest=tokens.digest(secret),
            scopes=scopes,
            is_narrowed=sites is not None,
            expires_at=expires_at,
        )
        token.sites.set(sites or [])
        return token, secret

    def covers(self, *, scopes: list[str], expires_at: datetime | None) -> bool:
        """Whether a key with these scopes and expiry has no more rights than this."""
        if self.expires_at and (expires_at is None or expires_at > self.expires_at):
            return False
        return all(tokens.grants(self.scopes, scope) for scope in scopes)

    @property
    def is_revoked(self) -> bool:
        return self.revoked_at is not None

    def revoke(self) -> None:
        """Revoke the key. This cannot be undone; a second call changes nothing."""
        type(self).objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=now())
        self.refresh_from_db(fields=["revoked_at"])
