"""Rules that say which events count as conversions."""

import uuid
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from analytics.currencies import EXPONENTS
from analytics.models import Site
from goals.matching import Rule

MAX_GOALS = 1_000


def currency_choices() -> list[tuple[str, str]]:
    """A function, so that next year's ISO list is no migration."""
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
    def live(self) -> Self:
        return self.filter(deleted_at=None)


class Goal(models.Model):
    """A rule over the names of a site's events; it holds no conversions.

    Deleting sets `deleted_at`: an operator can restore it, and since events
    are never touched, with its whole history.
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
        return self.name

    @property
    def rule(self) -> Rule:
        return Rule(self.type, self.match_type, self.match_value)


class ExchangeRate(models.Model):
    """What one euro was worth in a currency on a day, by the central bank."""

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
