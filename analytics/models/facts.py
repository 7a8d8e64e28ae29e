"""Events and their dictionaries. Append-only.

Every unique key begins with the site, and there are no foreign key constraints to
configuration tables, so that the tables can be distributed by site (see
`analytics.models.of_one_site`).
"""

from django.db import models
from django.db.models import Q

from analytics.models.configuration import Site
from analytics.models.of_one_site import OfOneSite, SameSiteForeignKey


class EventType(models.TextChoices):
    """Event types as the API names them. `goal` is a call of `ka.goal()`."""

    PAGEVIEW = "pageview"
    EVENT = "event"
    GOAL = "goal"


class EventName(OfOneSite):
    """Each distinct path, event name or goal name that a site has sent.

    Goals are matched against these rows, never against events. Ids of a site
    become visible in ascending order (see `events.append`).
    """

    site = models.ForeignKey(
        Site, models.DO_NOTHING, db_constraint=False, db_index=False
    )
    type = models.CharField(max_length=8, choices=EventType)
    name = models.TextField()
    # Indexed in place of the name: a B-tree entry on PostgreSQL is limited to
    # 2,704 bytes.
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


class Context(OfOneSite):
    """Each distinct combination of visitor labels of a site.

    Labels are `""` where unknown. IP addresses and raw user agents are not stored.
    What they mean for the site, `analytics.sources` says on reading.
    """

    site = models.ForeignKey(
        Site, models.DO_NOTHING, db_constraint=False, db_index=False
    )
    digest = models.BinaryField(max_length=16)
    referrer = models.CharField(
        max_length=253,
        help_text="The host as it was sent, android-app:// and the id of an app, or a"
        " name without a dot, such as Google, in rows from before hosts were stored.",
    )
    utm_source = models.CharField(max_length=255)
    utm_medium = models.CharField(max_length=255)
    utm_campaign = models.CharField(max_length=255)
    country = models.CharField(max_length=2)
    device = models.CharField(max_length=16)
    browser = models.CharField(max_length=64)
    os = models.CharField(max_length=64)
    utm_term = models.CharField(max_length=255, default="", db_default="")
    utm_content = models.CharField(max_length=255, default="", db_default="")
    click_id = models.CharField(
        max_length=16,
        default="",
        db_default="",
        help_text="Which one the address of the page had, never its value.",
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("site", "digest"), name="context_unique"),
        )

    def __str__(self) -> str:
        labels = (self.referrer, self.country, self.device, self.browser, self.os)
        return " · ".join(label for label in labels if label)


class Fact(OfOneSite):
    """Columns shared by events and refunds."""

    # With the day, the table can become a partition by days without a rewrite.
    key = ("site_id", "day", "id")

    site = models.ForeignKey(
        Site, models.DO_NOTHING, db_constraint=False, db_index=False
    )
    day = models.DateField(help_text="The calendar day in the site's time zone.")
    at = models.DateTimeField()
    name = SameSiteForeignKey(EventName)
    visitor = models.BigIntegerField(help_text="64 bits of the day's visitor hash.")
    context = SameSiteForeignKey(Context)
    page = SameSiteForeignKey(
        EventName,
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
            # The newest events with properties, of a site or of a name.
            models.Index(
                fields=("site", "day", "name", "id"),
                condition=Q(props__isnull=False),
                name="event_props",
            ),
        )

    def __str__(self) -> str:
        return f"{self.pk} {self.at:%Y-%m-%dT%H:%M:%SZ}"


class Adjustment(Fact):
    """A change of an event's amount that came later: a refund.

    It carries the event's name, visitor, context and page, so that whatever
    narrows events narrows it too, and a day of its own. Apart from events,
    which stay as they were stored: nothing that counts events can count it.

    What the event comes from is kept where the event was deleted by retention
    (`analytics.events.refund_origins`): by its latest and its first arrival, each
    with the labels of the visitor's own, and the visit's entry page.
    """

    refund_of = models.CharField(max_length=64, help_text="The event's event_id.")
    last_context = SameSiteForeignKey(Context, null=True, related_name="+")
    first_context = SameSiteForeignKey(Context, null=True, related_name="+")
    entry = SameSiteForeignKey(EventName, null=True, related_name="+")

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


class Seal(OfOneSite):
    """From which day on the events of a site are there: see `analytics.events.seals`.

    Of earlier days only what was kept of them is.
    """

    site_id = models.BigIntegerField()
    first = models.DateField(help_text="The day of the first event ever.")
    before = models.DateField(help_text="The first day of a month; not sealed itself.")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("site_id",), name="seal_unique"),
        )

    def __str__(self) -> str:
        return f"{self.site_id} before {self.before}"


class Growth(OfOneSite):
    """How much a day has added to the dictionaries of a site: see `events.growth`."""

    site_id = models.BigIntegerField()
    day = models.DateField(help_text="The calendar day of the site.")
    kind = models.CharField(max_length=8)
    made = models.BigIntegerField(help_text="New ones.")
    folded = models.BigIntegerField(help_text="Events with (other) in place of one.")

    class Meta:
        ordering = ("-day", "site_id", "kind")
        verbose_name_plural = "growth"
        constraints = (
            models.UniqueConstraint(
                fields=("site_id", "day", "kind"), name="growth_unique"
            ),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.kind} {self.made}"


class ReservedName(OfOneSite):
    """The name of an exact goal, which `events.growth` lets pass in any case.

    Apart from `EventName`, which has only what was sent.
    """

    site_id = models.BigIntegerField()
    digest = models.BinaryField(max_length=16)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("site_id", "digest"), name="reserved_name_unique"
            ),
        )

    def __str__(self) -> str:
        return bytes(self.digest).hex()


class DroppedHost(OfOneSite):
    """How many events of a foreign host were dropped on a day of a site.

    Of the first hosts of a day alone (`analytics.ingest.drops`): anyone can send an
    event that names any.
    """

    site_id = models.BigIntegerField()
    day = models.DateField()
    host = models.CharField(max_length=253)
    count = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("site_id", "day", "host"), name="dropped_host_unique"
            ),
        )

    def __str__(self) -> str:
        return f"{self.host} {self.count}"


class DropCount(OfOneSite):
    """How many events a rule dropped on a day of a site.

    A number is all that is kept of them: a visitor who asked not to be counted
    is counted as one of many, and nothing else is remembered.
    """

    # The number of no site: an event whose key nobody has is counted there.
    NO_SITE = 0

    site_id = models.BigIntegerField(help_text="0 where no site has the key.")
    day = models.DateField(
        help_text="The calendar day of the site, of UTC without one."
    )
    rule = models.CharField(max_length=32)
    count = models.BigIntegerField()

    class Meta:
        ordering = ("-day", "site_id", "rule")
        verbose_name = "drop"
        constraints = (
            models.UniqueConstraint(
                fields=("site_id", "day", "rule"), name="drop_count_unique"
            ),
        )
        # The newest of all sites, for operators. Raising a count touches no index.
        indexes = (
            models.Index(fields=("-day", "site_id", "rule"), name="drop_count_newest"),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.rule} {self.count}"
