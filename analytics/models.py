"""What happened on which site, and who may ask.

Two kinds of table. Configuration (Team, Site, ApiToken) is small and edited.
Facts (Event, Adjustment) and their dimensions (EventName, Context) are append-only,
lead every key with the site, and hold no foreign key constraint into configuration:
one site can then live on one shard of whatever engine comes after this one.
"""

import secrets
import string
import uuid
from datetime import datetime
from typing import Self
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.timezone import now

from analytics import tokens


class Team(models.Model):
    """A tenant: owns sites and keys; users are its members."""

    name = models.CharField(max_length=255)
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, related_name="teams", blank=True
    )
    created_at = models.DateTimeField(default=now, editable=False)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def default(cls) -> Self:
        """The team that sites and keys belong to when nobody names one."""
        team = cls.objects.order_by("pk").first()
        return team or cls.objects.create(name="Default")


def new_site_key() -> str:
    alphabet = string.ascii_lowercase + string.digits
    return "sk_" + "".join(secrets.choice(alphabet) for _ in range(12))


class SiteQuerySet(models.QuerySet["Site"]):
    def live(self) -> Self:
        return self.filter(deleted_at=None)

    def visible_to(self, token: "ApiToken") -> Self:
        """The sites a key may touch; another team's do not exist for it."""
        sites = self.live().filter(team_id=token.team_id)
        if token.is_narrowed:
            sites = sites.filter(tokens=token)
        return sites


class Site(models.Model):
    """A site whose visitors are counted.

    `site_key` is public: it stands in every page of the site and grants
    nothing, although its prefix looks like a secret's.
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
        default=list, blank=True, help_text="Addresses or CIDR networks not counted."
    )
    excluded_paths = models.JSONField(
        default=list, blank=True, help_text="Paths not counted; * stands for any text."
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


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def usable(self, now: datetime) -> Self:
        unexpired = Q(expires_at=None) | Q(expires_at__gt=now)
        return self.filter(unexpired, revoked_at=None)

    def visible_to(self, token: "ApiToken") -> Self:
        """The team's keys; for a narrowed key those within its own sites."""
        found = self.filter(team_id=token.team_id)
        if token.is_narrowed:
            outside = Site.objects.exclude(tokens=token)
            found = found.filter(is_narrowed=True).exclude(sites__in=outside)
        return found


class ApiToken(models.Model):
    """A key to the API. The secret itself is never stored: see `tokens`."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    team = models.ForeignKey(Team, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=255)
    key_prefix = models.CharField(max_length=tokens.SHOWN_LENGTH, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list)
    # Said apart from the set: a narrowed key whose last site is removed must
    # see nothing, not everything.
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
        """Store a new key and return it with its secret, shown only here.

        `sites` None: all sites of the team, those to come included.
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
        """Whether a key with these would hold no more than this one."""
        if self.expires_at and (expires_at is None or expires_at > self.expires_at):
            return False
        return all(tokens.grants(self.scopes, scope) for scope in scopes)

    @property
    def is_revoked(self) -> bool:
        return self.revoked_at is not None

    def revoke(self) -> None:
        """End the key for good; a second call keeps the first time."""
        type(self).objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=now())
        self.refresh_from_db(fields=["revoked_at"])


class Salt(models.Model):
    """The random part of a day's visitor ids, destroyed within 48 hours."""

    timezone = models.CharField(max_length=64)
    day = models.DateField()
    value = models.BinaryField(max_length=16)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("timezone", "day"), name="salt_unique"),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.timezone}"


class EventType(models.TextChoices):
    """The kinds of event, in the wire's words; `goal` is a `ka.goal()` call."""

    PAGEVIEW = "pageview"
    EVENT = "event"
    GOAL = "goal"


class EventName(models.Model):
    """The dictionary of a site: each path, event or goal name ever sent, once.

    Goals are matched against these few rows, never against events. Ids of a
    site become visible in ascending order (see `events.append`).
    """

    site = models.ForeignKey(
        Site, models.DO_NOTHING, db_constraint=False, db_index=False
    )
    type = models.CharField(max_length=8, choices=EventType)
    name = models.TextField()
    # A B-tree cannot hold long names (2,704 bytes on PostgreSQL), 16 bytes it can.
    digest = models.BinaryField(max_length=16)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("site", "digest"), name="event_name_unique"
            ),
            models.CheckConstraint(
                condition=Q(type__in=EventType.values), name="event_name_type"
            ),
        )
        indexes = (models.Index(fields=("site", "type", "id"), name="event_name_list"),)

    def __str__(self) -> str:
        return self.name


class Context(models.Model):
    """Where visitors came from and with what: one row a distinct combination.

    Labels only, `""` where unknown: never an address or a raw user agent.
    """

    site = models.ForeignKey(
        Site, models.DO_NOTHING, db_constraint=False, db_index=False
    )
    digest = models.BinaryField(max_length=16)
    referrer = models.CharField(max_length=253)
    utm_source = models.CharField(max_length=255)
    utm_medium = models.CharField(max_length=255)
    utm_campaign = models.CharField(max_length=255)
    country = models.CharField(max_length=2)
    device = models.CharField(max_length=16)
    browser = models.CharField(max_length=64)
    os = models.CharField(max_length=64)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("site", "digest"), name="context_unique"),
        )

    def __str__(self) -> str:
        labels = (self.referrer, self.country, self.device, self.browser, self.os)
        return " · ".join(label for label in labels if label)


class Fact(models.Model):
    """What an event and an adjustment of its amount have in common."""

    site = models.ForeignKey(
        Site, models.DO_NOTHING, db_constraint=False, db_index=False
    )
    day = models.DateField(help_text="The calendar day in the site's time zone.")
    at = models.DateTimeField()
    name = models.ForeignKey(
        EventName, models.DO_NOTHING, db_constraint=False, db_index=False
    )
    visitor = models.BigIntegerField(help_text="64 bits of the day's visitor hash.")
    context = models.ForeignKey(
        Context, models.DO_NOTHING, db_constraint=False, db_index=False
    )
    page = models.ForeignKey(
        EventName,
        models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
        help_text="Where it happened; null for a page view.",
    )
    amount = models.BigIntegerField(
        null=True, help_text="Ten-thousandths of a unit of the currency."
    )
    currency = models.CharField(max_length=3, null=True)  # noqa: DJ001 - no code, unlike no amount, means the goal's currency
    props = models.JSONField(null=True)
    event_id = models.CharField(max_length=64, null=True)  # noqa: DJ001 - unique where given

    class Meta:
        abstract = True


class Event(Fact):
    """Something a visitor did: stored once, narrow, never changed.

    Ids of a site become visible in ascending order (see `events.append`).
    """

    class Meta:
        ordering = ("-at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("site", "event_id"),
                condition=Q(event_id__isnull=False),
                name="event_id_unique",
            ),
            models.CheckConstraint(
                condition=Q(amount__isnull=False) | Q(currency__isnull=True),
                name="event_currency_needs_amount",
            ),
        )
        indexes = (
            # Answers every goal question by itself. The day comes before the
            # name so that a day's events are written side by side: inserts
            # touch the index's right edge however large the table is.
            models.Index(
                fields=("site", "day", "name", "visitor"), name="event_counts"
            ),
            models.Index(fields=("site", "at", "id"), name="event_times"),
            # Sums of money by themselves: few events carry an amount.
            models.Index(
                fields=("site", "day", "name", "currency", "amount"),
                condition=Q(amount__isnull=False),
                name="event_amounts",
            ),
        )

    def __str__(self) -> str:
        return f"{self.pk} {self.at:%Y-%m-%dT%H:%M:%SZ}"


class Adjustment(Fact):
    """A change of an event's amount that came later: a refund.

    It carries the event's name, visitor, context and page, so that whatever
    narrows events narrows it too, and a day of its own. Apart from events,
    which stay as they were stored: nothing that counts events can count it.
    """

    refund_of = models.CharField(max_length=64, help_text="The event's event_id.")

    class Meta:
        ordering = ("-at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("site", "event_id"),
                condition=Q(event_id__isnull=False),
                name="adjustment_id_unique",
            ),
            models.CheckConstraint(
                condition=Q(amount__isnull=False, amount__lt=0),
                name="adjustment_amount_negative",
            ),
        )
        indexes = (
            models.Index(fields=("site", "day", "name"), name="adjustment_sums"),
            models.Index(fields=("site", "refund_of"), name="adjustment_refunds"),
        )

    def __str__(self) -> str:
        return f"{self.refund_of} {self.at:%Y-%m-%dT%H:%M:%SZ}"


class LateDay(models.Model):
    """How often a day of a site was changed after it had ended everywhere."""

    site = models.ForeignKey(
        Site, models.DO_NOTHING, db_constraint=False, db_index=False
    )
    day = models.DateField()
    version = models.IntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("site", "day"), name="late_day_unique"),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.version}"


class RateWindow(models.Model):
    """How much of a limit is used in the current minute, one row a caller."""

    caller = models.CharField(max_length=64, primary_key=True)
    minute = models.BigIntegerField(help_text="Minutes since 1970.")
    used = models.IntegerField()

    class Meta:
        indexes = (models.Index(fields=("minute",), name="rate_window_minute"),)

    def __str__(self) -> str:
        return f"{self.caller} {self.used}"


class IdempotencyKey(models.Model):
    """What was answered to a request, for the day in which it may come again.

    Digests stand for the key with its team and path, and for the body sent:
    a client's key may be the number of an order.
    """

    id = models.CharField(max_length=64, primary_key=True)
    request = models.CharField(max_length=64)
    # Set in the transaction that makes the row: nobody sees one without them.
    status = models.PositiveSmallIntegerField(default=0)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=bytes)
    created_at = models.DateTimeField(default=now)

    class Meta:
        indexes = (models.Index(fields=("created_at",), name="idempotency_key_age"),)

    def __str__(self) -> str:
        return f"{self.id[:8]} {self.status}"
