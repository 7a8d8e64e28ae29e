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
from django.utils.translation import gettext_lazy as _

from analytics.access import tokens
from analytics.questions import periods
from krafter.names import printable


class Role(models.TextChoices):
    """What a member may do in a team: see `analytics.access.roles`."""

    VIEWER = "viewer", _("Viewer")
    EDITOR = "editor", _("Editor")
    OWNER = "owner", _("Owner")


class Team(models.Model):
    """A tenant. Owns sites and API keys; users are its members."""

    name = models.CharField(max_length=255)
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        through="Membership",
        related_name="teams",
        blank=True,
    )
    created_at = models.DateTimeField(default=now, editable=False)
    # Nobody can use it any more: see `analytics.lifecycle.erasure`.
    erasure_asked_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return printable(self.name)

    @classmethod
    def default(cls) -> Self:
        """The oldest team, created when there is none."""
        team = cls.objects.order_by("pk").first()
        return team or cls.objects.create(name="Default")


class Membership(models.Model):
    """A user's role in a team."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships"
    )
    # No role is the default: whoever adds a member says which.
    role = models.CharField(max_length=6, choices=Role)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ("pk",)
        verbose_name = "member"
        constraints = (
            models.UniqueConstraint(fields=("team", "user"), name="membership_unique"),
            models.CheckConstraint(
                condition=Q(role__in=Role.values), name="membership_role"
            ),
        )

    def __str__(self) -> str:
        return f"{self.user}, {self.role}"


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
        help_text="Days begin and end in this time zone, for example Europe/Berlin."
        " A change applies to events that are received from then on.",
    )
    allowed_hosts = models.JSONField(
        default=list,
        blank=True,
        help_text="Other host names whose pages belong to this site, for example"
        " shop.example.org. Their sub-domains are included.",
    )
    excluded_ips = models.JSONField(
        default=list,
        blank=True,
        help_text="Visits from these IP addresses or networks are not counted, for"
        " example 192.0.2.7 or 192.0.2.0/24.",
    )
    excluded_paths = models.JSONField(
        default=list,
        blank=True,
        help_text="Pages with these paths are not counted. * matches any text, for"
        " example /admin/*.",
    )
    excluded_referrers = models.JSONField(
        default=list,
        db_default=[],
        blank=True,
        help_text="Host names that visitors pass and do not come from, such as a"
        " payment provider. Whoever returns from one keeps the source from before."
        " Common payment and sign-in hosts are excluded already; !example.org takes"
        " one out.",
    )
    channels = models.JSONField(
        default=list,
        db_default=[],
        blank=True,
        help_text="Rules that put visitors into channels of your own. They are checked"
        " in order, before the standard channels.",
    )
    honour_dnt = models.BooleanField(
        default=True,
        help_text="Do not count visitors whose browser sends Do Not Track (DNT) or"
        " Global Privacy Control (Sec-GPC).",
    )
    retention_months = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="Whole months that events are kept; empty: for ever.",
    )
    # As `Seal.before` of its facts, written in the same transactions.
    sealed_before = models.DateField(null=True, editable=False)
    # How often some of its events were erased: an export that runs asks for it.
    erasures = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)
    # Of a deleted one: not to be restored any more.
    erasure_asked_at = models.DateTimeField(null=True, editable=False)

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
        return printable(self.domain)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def midnight(self, day: date, *, later: int = 0) -> datetime:
        """When a day begins in the site's time zone: see `periods.midnight`."""
        return periods.midnight(day, self.zone, later=later)


class Import(models.Model):
    """How much of a stream is in a team: see `analytics.lifecycle.imports`."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="imports")
    stream = models.UUIDField(help_text="The id of the export.")
    new_keys = models.BooleanField(default=False)
    # Whole pages that are in, what they had of each kind, and their hash.
    pages = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict)
    hash = models.CharField(max_length=64, blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("team", "stream"), name="import_unique"),
        )

    def __str__(self) -> str:
        return f"{self.stream} {self.pages}"


class ImportedSite(models.Model):
    """How much of a site of a stream is in."""

    source = models.ForeignKey(Import, models.CASCADE, related_name="sites")
    key = models.CharField(max_length=15, help_text="The site's key in the export.")
    site = models.OneToOneField(Site, models.CASCADE, related_name="imported")
    events = models.BigIntegerField(default=0)
    refunds = models.BigIntegerField(default=0)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("source", "key"), name="imported_site_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.key} {self.events}"


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
    # Who: a user, the first characters of a key, or a command; "" for keys of before
    # it was kept. Names, since users may be deleted.
    made_by = models.CharField(max_length=255, blank=True, editable=False)
    revoked_by = models.CharField(max_length=255, blank=True, editable=False)
    made_by_key = models.ForeignKey(
        "self", models.SET_NULL, null=True, editable=False, related_name="made"
    )
    rotates = models.ForeignKey(
        "self", models.SET_NULL, null=True, editable=False, related_name="rotated_to"
    )

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{printable(self.name)} ({self.key_prefix}…)"

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
        return self.holds(scopes)

    def holds(self, scopes: list[str]) -> bool:
        """Whether this key has each of these scopes."""
        return all(tokens.grants(self.scopes, scope) for scope in scopes)

    @property
    def is_revoked(self) -> bool:
        return self.revoked_at is not None

    def revoke(self, by: str = "") -> bool:
        """Revoke the key; whether it was not yet. This cannot be undone."""
        unrevoked = type(self).objects.filter(pk=self.pk, revoked_at=None)
        is_new = unrevoked.update(revoked_at=now(), revoked_by=by) > 0
        self.refresh_from_db(fields=["revoked_at", "revoked_by"])
        return is_new
