"""Goals, their cached counts, and exchange rates."""

import uuid
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from analytics.currencies import EXPONENTS
from analytics.models import KeptMonth, OfOneSite, Site
from goals.matching import Rule
from krafter.names import printable

MAX_GOALS = 1_000


def currency_choices() -> list[tuple[str, str]]:
    """A function, so that a new ISO 4217 list needs no migration."""
    return [(code, code) for code in sorted(EXPONENTS)]


class GoalType(models.TextChoices):
    PAGEVIEW = "pageview"
    EVENT = "event"
    CUSTOM = "custom"


class MatchType(models.TextChoices):
    EXACT = "exact"
    CONTAINS = "contains"
    REGEX = "regex"


class GoalQuerySet(models.QuerySet["Goal"]):
    def undeleted(self) -> Self:
        return self.filter(deleted_at=None)


class Goal(models.Model):
    """A named rule that decides which events of a site are conversions.

    Deleting sets `deleted_at`. Events are not changed, so a restored goal has its
    whole history.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.CASCADE, related_name="goals")
    name = models.CharField(max_length=255)
    type = models.CharField(max_length=8, choices=GoalType)
    match_type = models.CharField(max_length=8, choices=MatchType)
    match_value = models.CharField(max_length=1_024)
    currency = models.CharField(  # noqa: DJ001 - null is on the wire: no revenue
        max_length=3,
        null=True,
        blank=True,
        choices=currency_choices,
    )
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, editable=False)
    # Null for goals that are not among the first that overviews show.
    starred_at = models.DateTimeField(null=True, editable=False)

    objects = GoalQuerySet.as_manager()

    class Meta:
        ordering = ("created_at", "id")
        constraints = (
            models.CheckConstraint(
                condition=Q(type__in=GoalType.values), name="goal_type"
            ),
            models.CheckConstraint(
                condition=Q(match_type__in=MatchType.values), name="goal_match_type"
            ),
        )

    def __str__(self) -> str:
        return printable(self.name)

    @property
    def rule(self) -> Rule:
        return Rule(self.type, self.match_type, self.match_value)


def lacks_room(site: Site) -> str | None:
    """Return why the site cannot have another goal, or None.

    Call it in a transaction: it locks the site.
    """
    # Without the lock two concurrent requests could exceed the limit.
    Site.objects.select_for_update().get(pk=site.pk)
    if Goal.objects.undeleted().filter(site=site).count() < MAX_GOALS:
        return None
    return f"A site holds at most {MAX_GOALS} goals."


class Annotation(models.Model):
    """A person's note about a day of a site, such as the start of a campaign."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.CASCADE, related_name="annotations")
    day = models.DateField()
    text = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ("day", "created_at", "id")

    def __str__(self) -> str:
        return printable(self.text)


class SavedFunnel(models.Model):
    """A funnel saved under a name. Steps that are goals are stored by id."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, models.CASCADE, related_name="funnels")
    name = models.CharField(max_length=255)
    # As the API takes them: {"goal": id}, or a rule.
    steps = models.JSONField()
    window_minutes = models.PositiveSmallIntegerField(null=True)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ("created_at", "id")

    def __str__(self) -> str:
        return printable(self.name)


class GoalMonth(KeptMonth):
    """Cached counts of a rule on the closed days of a month of a site.

    Kept by the rule, not by the goal: an edit finds no rows under its new rule
    and leaves the old ones to whoever has that rule, so nothing need be
    invalidated. The sums are those of all its days.
    """

    rule = models.BinaryField(max_length=16)
    conversions = models.BigIntegerField()
    uniques = models.BigIntegerField()
    # {currency or "": decimal as text}, net of refunds; null for no amounts.
    amounts = models.JSONField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("site", "rule", "month"), name="goal_month_unique"
            ),
        )


class RuleNames(OfOneSite):
    """Cached ids of the names of a site that a rule matches.

    Names up to the id `seen` have been looked at (see
    `goals.counting.matched_names`).
    """

    site = models.ForeignKey(
        Site, models.DO_NOTHING, db_constraint=False, db_index=False
    )
    rule = models.BinaryField(max_length=16)
    seen = models.BigIntegerField()
    # Packed: see `matched_names.packed`.
    ids = models.BinaryField(help_text="64 bits each, ascending, little-endian.")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("site", "rule"), name="rule_names_unique"),
        )

    def __str__(self) -> str:
        return f"{bytes(self.rule).hex()} {self.seen}"


class ExchangeRate(models.Model):
    """The value of one euro in a currency on a day, from the ECB."""

    day = models.DateField()
    currency = models.CharField(max_length=3)
    # Text, since SQLite would keep a decimal as a float.
    rate = models.CharField(
        max_length=31, help_text="Units of the currency for one euro, a decimal."
    )

    class Meta:
        ordering = ("currency", "day")
        constraints = (
            models.UniqueConstraint(
                fields=("currency", "day"), name="exchange_rate_unique"
            ),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.currency} {self.rate}"
